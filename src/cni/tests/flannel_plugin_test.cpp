// The program `flannel`, run as any CNI runtime would run it.

#include <gmock/gmock.h>

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

TEST_F(FlannelPlugin, TellsItsVersions) {
  const auto answer = json::parse(call("VERSION", R"({"cniVersion":"0.4.0"})").out);
  EXPECT_EQ(answer["cniVersion"], "0.4.0");
  EXPECT_EQ(answer["supportedVersions"], json::parse(R"(["0.3.0","0.3.1","0.4.0","1.0.0"])"));
}

TEST_F(FlannelPlugin, RefusesAVersionThatItDoesNotSpeak) {
  config["cniVersion"] = "2.0.0";
  EXPECT_EQ(error_of(call("ADD"))["code"], kIncompatibleVersion);
}

TEST_F(FlannelPlugin, NamesAMissingVariable) {
  const auto error = error_of(call("ADD", config.dump(), {{"CNI_NETNS", ""}}));
  EXPECT_EQ(error["code"], kInvalidEnvironment);
  EXPECT_THAT(error["msg"].get<std::string>(), HasSubstr("CNI_NETNS"));
}

TEST_F(FlannelPlugin, RefusesAContainerIdThatLeadsOutOfItsDirectory) {
  EXPECT_EQ(error_of(call("ADD", config.dump(), {{"CNI_CONTAINERID", "../c1"}}))["code"], kInvalidEnvironment);
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
