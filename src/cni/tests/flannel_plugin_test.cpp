// The program `flannel`, run as any CNI runtime would run it.

#include <gmock/gmock.h>

#include "knetsim/cni/specification.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FlannelPlugin : public testing::Test {
 protected:
  void SetUp() override {
    // Stands in for the delegate and keeps what it was given.
    std::filesystem::create_directories(worker.directory());
    write_file_atomically(worker.directory() / "bridge",
                          "#!/bin/sh\ncat > " + (worker.directory() / "given").string() +
                              "\necho \"{\\\"ran\\\":\\\"$CNI_COMMAND\\\"}\"\n[ ! -e " +
                              (worker.directory() / "fail").string() + " ]\n",
                          0755);
    config = {{"cniVersion", "1.0.0"},
              {"name", "cbr0"},
              {"type", "flannel"},
              {"subnetFile", worker.subnet_file().string()},
              {"dataDir", (worker.directory() / "data").string()}};
  }

  ExecResult call(const std::string& command, const std::string& input,
                  std::map<std::string, std::string> environment = {}) const {
    environment.insert({{"CNI_COMMAND", command},
                        {"CNI_CONTAINERID", "c1"},
                        {"CNI_NETNS", "/run/netns/c1"},
                        {"CNI_IFNAME", "eth0"},
                        {"CNI_PATH", "/nowhere:" + worker.directory().string()}});
    const auto directory = own_plugin_directory();
    if (!directory) throw std::logic_error("the plugin isn't built");
    return exec({.argv = {(*directory / "flannel").string()}, .environment = environment}, kExecTimeout, input);
  }

  ExecResult call(const std::string& command) const { return call(command, config.dump()); }

  json given() const { return json::parse(read_file(worker.directory() / "given")); }
  static json error_of(const ExecResult& result) {
    EXPECT_EQ(result.status.code(), 1);
    return json::parse(result.out);
  }

  TestWorker worker;
  json config;
};

TEST_F(FlannelPlugin, GivesTheBridgePluginTheLeaseAndFlannelsDefaults) {
  const auto result = call("ADD");
  EXPECT_EQ(result.out, "{\"ran\":\"ADD\"}\n");
  EXPECT_EQ(given(), json::parse(R"({"cniVersion":"1.0.0","name":"cbr0","type":"bridge","ipMasq":true,"mtu":1450,
      "isGateway":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"11.13.0.0/20"}]],
      "routes":[{"dst":"11.0.0.0/8"}]}})"));
}

TEST_F(FlannelPlugin, LeavesMasqueradingToADaemonThatDoesIt) {
  write_file_atomically(worker.subnet_file(),
                        "FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_MTU=1450\n"
                        "FLANNEL_IPMASQ=true\n");
  call("ADD");
  EXPECT_EQ(given()["ipMasq"], false);
}

TEST_F(FlannelPlugin, HonoursWhatTheConfigSaysOfTheDelegateAndOfIpam) {
  config["delegate"] = {{"ipMasq", false}, {"mtu", 1300}, {"isDefaultGateway", true}, {"hairpinMode", true}};
  config["ipam"] = {{"dataDir", "/x"}, {"routes", {{{"dst", "10.96.0.0/12"}}}}};
  config["runtimeConfig"] = {{"mac", "0a:00:00:00:00:01"}};
  call("ADD");
  EXPECT_EQ(given()["ipMasq"], false);
  EXPECT_EQ(given()["mtu"], 1300);
  EXPECT_EQ(given()["isDefaultGateway"], true);
  EXPECT_EQ(given()["hairpinMode"], true);
  EXPECT_EQ(given()["runtimeConfig"]["mac"], "0a:00:00:00:00:01");
  EXPECT_EQ(given()["ipam"]["dataDir"], "/x");
  EXPECT_EQ(given()["ipam"]["routes"], json::parse(R"([{"dst":"10.96.0.0/12"},{"dst":"11.0.0.0/8"}])"));
}

TEST_F(FlannelPlugin, GivesBothAddressFamiliesOfADualStackLease) {
  write_file_atomically(worker.subnet_file(), kDualStackLease);
  call("ADD");
  EXPECT_EQ(given()["ipam"]["ranges"], json::parse(R"([[{"subnet":"11.13.0.0/20"}],[{"subnet":"fd00:0:0:1::/64"}]])"));
  EXPECT_EQ(given()["ipam"]["routes"], json::parse(R"([{"dst":"11.0.0.0/8"},{"dst":"fd00::/8"}])"));
}

TEST_F(FlannelPlugin, RoutesEachOfSeveralNetworks) {
  write_file_atomically(worker.subnet_file(),
                        "FLANNEL_NETWORK=10.244.0.0/16,192.168.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
                        "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
  call("ADD");
  EXPECT_EQ(given()["ipam"]["ranges"], json::parse(R"([[{"subnet":"10.244.1.0/24"}]])"));
  EXPECT_EQ(given()["ipam"]["routes"], json::parse(R"([{"dst":"10.244.0.0/16"},{"dst":"192.168.0.0/16"}])"));
}

TEST_F(FlannelPlugin, DeletesWithTheConfigOfAddEvenWithoutALease) {
  call("ADD");
  const auto of_add = given();
  std::filesystem::remove(worker.subnet_file());
  std::filesystem::remove(worker.directory() / "given");
  EXPECT_TRUE(call("DEL").ok());
  EXPECT_EQ(given(), of_add);
  EXPECT_THAT(files_in(worker.directory() / "data"), IsEmpty());
  std::filesystem::remove(worker.directory() / "given");
  EXPECT_TRUE(call("DEL").ok()) << "twice is no error";
  EXPECT_FALSE(std::filesystem::exists(worker.directory() / "given"));
}

TEST_F(FlannelPlugin, KeepsTheConfigWhenTheDelegateFailsToDelete) {
  call("ADD");
  write_file_atomically(worker.directory() / "fail", "");
  EXPECT_EQ(call("DEL").status.code(), 1);
  EXPECT_THAT(files_in(worker.directory() / "data"), ElementsAre("c1"));
}

TEST_F(FlannelPlugin, ChecksWithTheGatewaysThatRoutesWithoutOneTook) {
  call("ADD");
  config["prevResult"] = json::parse(R"({"ips":[{"address":"11.13.0.2/20","gateway":"11.13.0.1"}],
      "routes":[{"dst":"11.0.0.0/8"},{"dst":"0.0.0.0/0","gw":"11.13.0.9"}]})");
  EXPECT_EQ(call("CHECK").out, "{\"ran\":\"CHECK\"}\n");
  EXPECT_EQ(given()["prevResult"]["routes"],
            json::parse(R"([{"dst":"11.0.0.0/8","gw":"11.13.0.1"},{"dst":"0.0.0.0/0","gw":"11.13.0.9"}])"));
}

TEST_F(FlannelPlugin, TellsAnUnknownContainerOnCheck) { EXPECT_EQ(error_of(call("CHECK"))["code"], kUnknownContainer); }

// The first runtimes sent no config with VERSION, and what nobody knows is answered too.
TEST_F(FlannelPlugin, TellsItsVersionsInTheOneAskedFor) {
  const std::vector<std::pair<std::string, std::string>> cases{{R"({"cniVersion":"0.4.0"})", "0.4.0"},
                                                               {R"({"cniVersion":"0.1.0","name":"n"})", "0.1.0"},
                                                               {R"({"cniVersion":"1.1.0"})", "1.1.0"},
                                                               {R"({"cniVersion":"2.0.0"})", "1.1.0"},
                                                               {"{}", "1.1.0"},
                                                               {"", "1.1.0"},
                                                               {"garbage", "1.1.0"}};
  for (const auto& [input, version] : cases) {
    const auto result = call("VERSION", input);
    EXPECT_TRUE(result.ok()) << input;
    const auto answer = json::parse(result.out);
    EXPECT_EQ(answer["cniVersion"], version) << input;
    EXPECT_EQ(answer["supportedVersions"], json::parse(R"(["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"])"));
  }
}

TEST_F(FlannelPlugin, DoesInEveryVersionWhatThatVersionHas) {
  config["cni.dev/valid-attachments"] = json::array();
  for (const auto& version : supported_versions()) {
    config["cniVersion"] = version;
    const std::vector<std::pair<std::string, std::string>> commands{
        {"ADD", "0.1.0"}, {"CHECK", "0.4.0"}, {"STATUS", "1.1.0"}, {"DEL", "0.1.0"}, {"GC", "1.1.0"}};
    for (const auto& [command, first] : commands) {
      std::filesystem::remove(worker.directory() / "given");
      const auto result = call(command);
      if (is_since(version, first)) {
        EXPECT_TRUE(result.ok()) << version << " " << command << ": " << result.out;
        EXPECT_EQ(result.out, "{\"ran\":\"" + command + "\"}\n") << version;
        EXPECT_EQ(given()["cniVersion"], version) << command;
      } else {
        const auto error = error_of(result);
        EXPECT_EQ(error["code"], kIncompatibleVersion) << version << " " << command;
        EXPECT_EQ(error["cniVersion"], version) << command;
        EXPECT_FALSE(std::filesystem::exists(worker.directory() / "given")) << version << " " << command;
      }
    }
    EXPECT_THAT(files_in(worker.directory() / "data"), IsEmpty()) << version;
  }
}

TEST_F(FlannelPlugin, IsOf010WithoutAVersionAndLeavesThatToTheDelegate) {
  config.erase("cniVersion");
  EXPECT_TRUE(call("ADD").ok());
  EXPECT_FALSE(given().contains("cniVersion"));
  EXPECT_EQ(error_of(call("CHECK"))["cniVersion"], "0.1.0");
  EXPECT_TRUE(call("DEL").ok());
}

TEST_F(FlannelPlugin, RefusesAVersionThatItDoesNotSpeak) {
  for (const auto* version : {"2.0.0", "1.2.0", "0.0.9", "1.0", "v1.0.0", "latest"}) {
    config["cniVersion"] = version;
    for (const auto* command : {"ADD", "DEL", "CHECK", "STATUS", "GC"}) {
      const auto error = error_of(call(command));
      EXPECT_EQ(error["code"], kIncompatibleVersion) << version << " " << command;
      EXPECT_EQ(error["cniVersion"], version);
      EXPECT_THAT(error["details"].get<std::string>(), HasSubstr("0.1.0 0.2.0"));
    }
  }
}

// kubelet may go over to another version while its containers stand.
TEST_F(FlannelPlugin, GivesTheDelegateTheResultInTheVersionOfItsConfig) {
  for (const auto& version : supported_versions()) {
    config["cniVersion"] = version;
    call("ADD");
    for (const auto& later : supported_versions()) {
      auto result = parse_result(R"({"interfaces":[{"name":"eth0","sandbox":"/x"}],
          "ips":[{"interface":0,"address":"11.13.0.2/20","gateway":"11.13.0.1"}],"routes":[{"dst":"11.0.0.0/8"}]})");
      result.cni_version = later;
      config["cniVersion"] = later;
      config["prevResult"] = json::parse(to_json(result));
      write_file_atomically(worker.directory() / "fail", "");  // it stays for the next one
      call("DEL");
      std::filesystem::remove(worker.directory() / "fail");
      const auto previous = given()["prevResult"];
      EXPECT_EQ(previous["cniVersion"], version) << later;
      EXPECT_EQ(previous.contains("ip4"), !is_since(version, "0.3.0")) << later << " " << version;
      EXPECT_EQ(previous.contains("ips"), is_since(version, "0.3.0")) << later << " " << version;
    }
    config["prevResult"] = {{"ips", "garbage"}};
    EXPECT_TRUE(call("DEL").ok()) << "a result that can't be read is no reason to keep a container";
    config.erase("prevResult");
  }
}

TEST_F(FlannelPlugin, IsReadyWithALeaseAndADelegateThatIs) {
  config["cniVersion"] = "1.1.0";
  EXPECT_EQ(call("STATUS").out, "{\"ran\":\"STATUS\"}\n");
  EXPECT_EQ(given()["ipam"]["ranges"], json::parse(R"([[{"subnet":"11.13.0.0/20"}]])"));
  write_file_atomically(worker.directory() / "fail", "");
  EXPECT_EQ(call("STATUS").status.code(), 1);
  std::filesystem::remove(worker.subnet_file());
  const auto error = error_of(call("STATUS"));
  EXPECT_EQ(error["code"], kNotAvailable);
  EXPECT_THAT(error["details"].get<std::string>(), HasSubstr("subnet.env"));
}

TEST_F(FlannelPlugin, CollectsTheFilesOfContainersThatAreGoneAndHandsTheListOn) {
  config["cniVersion"] = "1.1.0";
  for (const auto* id : {"c1", "c2", "c3"}) call("ADD", config.dump(), {{"CNI_CONTAINERID", id}});
  auto other = config;
  other["name"] = "other";
  call("ADD", other.dump(), {{"CNI_CONTAINERID", "stranger"}});
  write_file_atomically(worker.directory() / "data/notes", "not JSON");

  EXPECT_EQ(error_of(call("GC"))["code"], kInvalidConfig) << "without a list, nobody is gone";
  config["cni.dev/valid-attachments"] = json::parse(R"([{"containerID":"c2","ifname":"eth0"}])");
  EXPECT_TRUE(call("GC").ok());
  EXPECT_THAT(files_in(worker.directory() / "data"), ElementsAre("c2", "notes", "stranger"));
  EXPECT_EQ(given()["cni.dev/valid-attachments"], config["cni.dev/valid-attachments"]);
  EXPECT_EQ(given()["type"], "bridge");

  std::filesystem::remove(worker.subnet_file());
  config["cni.dev/valid-attachments"] = json::array();
  EXPECT_TRUE(call("GC").ok()) << "also without a lease";
  EXPECT_THAT(files_in(worker.directory() / "data"), ElementsAre("notes", "stranger"));
}

TEST_F(FlannelPlugin, KeepsTheFilesWhenTheDelegateFailsToCollect) {
  config["cniVersion"] = "1.1.0";
  call("ADD");
  config["cni.dev/valid-attachments"] = json::array();
  write_file_atomically(worker.directory() / "fail", "");
  EXPECT_EQ(call("GC").status.code(), 1);
  EXPECT_THAT(files_in(worker.directory() / "data"), ElementsAre("c1"));
}

TEST_F(FlannelPlugin, BoundsWhatItReads) {
  const std::string deep(100'000, '[');
  EXPECT_EQ(error_of(call("ADD", deep + std::string(100'000, ']')))["code"], kUndecodable);
  config["delegate"] = json::parse("{\"x\":" + std::string(60, '[') + std::string(60, ']') + "}");
  EXPECT_TRUE(call("ADD").ok());
  EXPECT_EQ(error_of(call("ADD", std::string(5'000'000, ' ') + "{}"))["code"], kUndecodable);
  EXPECT_EQ(error_of(call("ADD", "\xef\xbb\xbf" + config.dump()))["code"], kUndecodable) << "as Go's decoder";
  EXPECT_EQ(error_of(call("ADD", config.dump(), {{"CNI_CONTAINERID", std::string(90'000, '-')}}))["code"],
            kInvalidEnvironment);
}

TEST_F(FlannelPlugin, SaysWhenTheDelegateEndsWithoutAWord) {
  call("ADD");
  write_file_atomically(worker.directory() / "bridge", "#!/bin/sh\nkill -SEGV $$\n", 0755);
  EXPECT_THAT(error_of(call("DEL"))["msg"].get<std::string>(), HasSubstr("SIGSEGV"));
}

TEST_F(FlannelPlugin, NamesAMissingVariable) {
  const auto error = error_of(call("ADD", config.dump(), {{"CNI_NETNS", ""}}));
  EXPECT_EQ(error["code"], kInvalidEnvironment);
  EXPECT_THAT(error["msg"].get<std::string>(), HasSubstr("CNI_NETNS"));
}

TEST_F(FlannelPlugin, RefusesNamesThatLeadOutOfTheirDirectory) {
  EXPECT_EQ(error_of(call("ADD", config.dump(), {{"CNI_CONTAINERID", "../c1"}}))["code"], kInvalidEnvironment);
  EXPECT_EQ(error_of(call("ADD", config.dump(), {{"CNI_IFNAME", "../eth0"}}))["code"], kInvalidEnvironment);
  config["name"] = "../cbr0";
  EXPECT_EQ(error_of(call("ADD"))["code"], kInvalidConfig);
}

TEST_F(FlannelPlugin, RefusesGarbageAndADelegateThatSaysTooMuch) {
  EXPECT_EQ(error_of(call("ADD", "garbage"))["code"], kUndecodable);
  EXPECT_EQ(error_of(call("ADD", R"({"cniVersion":1})"))["code"], kUndecodable);
  for (const auto* key : {"name", "ipam"}) {
    config["delegate"] = {{key, "x"}};
    EXPECT_THAT(error_of(call("ADD"))["msg"].get<std::string>(), HasSubstr("must not have '" + std::string(key)));
  }
  config["delegate"] = {{"type", 7}};
  EXPECT_THAT(error_of(call("ADD"))["msg"].get<std::string>(), HasSubstr("(string) 'type'"));
  for (const auto* key : {"delegate", "ipam", "runtimeConfig"}) config[key] = nullptr;
  EXPECT_TRUE(call("ADD").ok()) << "null is as good as nothing";
  config["ipam"] = "host-local";
  EXPECT_EQ(error_of(call("ADD"))["code"], kInvalidConfig);
}

TEST_F(FlannelPlugin, NamesTheFileThatNoDaemonHasWritten) {
  std::filesystem::remove(worker.subnet_file());
  EXPECT_THAT(error_of(call("ADD"))["msg"].get<std::string>(), HasSubstr(worker.subnet_file().string()));
}

TEST_F(FlannelPlugin, SaysWhereItLookedForTheDelegate) {
  config["delegate"] = {{"type", "nosuch"}};
  EXPECT_THAT(error_of(call("ADD"))["msg"].get<std::string>(),
              testing::AllOf(HasSubstr("\"nosuch\""), HasSubstr(worker.directory().string())));
}

}  // namespace
}  // namespace knetsim::cni
