// What is read and written: configurations, results, subnet.env.

#include <gmock/gmock.h>

#include "../plugin_config.h"
#include "knetsim/cni/plugins.h"
#include "knetsim/cni/result.h"
#include "knetsim/cni/specification.h"
#include "knetsim/sys/file.h"
#include "world.h"

namespace knetsim::cni {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(NetworkConfig, IsReadFromAListAndFromASinglePlugin) {
  const auto list = parse_network_config(
      R"({"cniVersion":"0.4.0","name":"n","disableCheck":true,"plugins":[{"type":"a","x":1},{"type":"b"}]})");
  EXPECT_EQ(list.cni_version, "0.4.0");
  EXPECT_TRUE(list.disable_check);
  ASSERT_EQ(list.plugins.size(), 2U);
  EXPECT_EQ(list.plugins[0]["x"], 1);
  const auto single = parse_network_config(R"({"cniVersion":"1.0.0","name":"n","type":"a","x":1})");
  ASSERT_EQ(single.plugins.size(), 1U);
  EXPECT_EQ(single.plugins[0]["type"], "a");
  EXPECT_EQ(json::parse(to_json(parse_network_config(to_json(list)))), json::parse(to_json(list)));
}

TEST(NetworkConfig, NamesThePlaceOfWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"{", "configuration:1:"},
      {"[]", "/"},
      {R"({"cniVersion":"1.0.0"})", "/name"},
      {R"({"cniVersion":"1.0.0","name":"../n"})", "/name"},
      {R"({"name":"n"})", "/type"},
      {R"({"cniVersion":"9.0.0","name":"n","type":"a"})", "/cniVersion"},
      {R"({"cniVersion":1,"name":"n","type":"a"})", "/cniVersion"},
      {R"({"cniVersions":"1.0.0","name":"n","type":"a"})", "/cniVersions"},
      {R"({"cniVersions":[1],"name":"n","type":"a"})", "/cniVersions/0"},
      {R"({"cniVersions":["2.0.0","1.2.0"],"name":"n","type":"a"})", "/cniVersion"},
      {"\xef\xbb\xbf{\"name\":\"n\",\"type\":\"a\"}", "configuration:1:1: it begins with a byte order mark"},
      {"{\"name\":" + std::string(100, '[') + std::string(100, ']') + "}", "nested deeper than 64 levels"},
      {"{\"name\":\"n" + std::string(200'000, '+') + "\",\"type\":\"a\"}", "/name"},
      {"{\"name\":\"n\",\"type\":\"" + std::string(2'000'000, 'a') + "\"}", "bytes long"},
      {R"({"cniVersion":"1.0.0","name":"n"})", "/type"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":{}})", "/plugins"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[]})", "/plugins"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a"},7]})", "/plugins/1"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{}]})", "/plugins/0/type"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"/bin/sh"}]})", "/plugins/0/type"},
      {R"({"cniVersion":"1.0.0","name":"n","type":".."})", "/type"},
      {R"({"cniVersion":"1.1.0","name":"n","disableGC":1,"type":"a"})", "/disableGC"},
      {R"({"cniVersion":"1.0.0","name":"n","disableCheck":"yes","plugins":[{"type":"a"}]})", "/disableCheck"}};
  for (const auto& one : wrong)
    EXPECT_THAT(std::string(thrown<InputError>([&] { parse_network_config(one.first); }).what()),
                AllOf(HasSubstr(one.second.starts_with('/') ? ": " + one.second + ": " : one.second),
                      HasSubstr("remedy: "), testing::SizeIs(testing::Lt(700U))))
        << one.first.substr(0, 200);
}

TEST(NetworkConfig, IsOfTheLatestVersionItOffersThatIsSupported) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"("x":1)", "0.1.0"},
      {R"("cniVersion":"")", "0.1.0"},
      {R"("cniVersion":"0.2.0")", "0.2.0"},
      {R"("cniVersion":"1.0.0","cniVersions":["0.4.0","1.1.0","1.0.0"])", "1.1.0"},
      {R"("cniVersion":"1.0.0","cniVersions":["0.4.0"])", "1.0.0"},
      {R"("cniVersions":["0.3.1","0.4.0","2.0.0"])", "0.4.0"},
      {R"("cniVersion":"2.0.0","cniVersions":["0.4.0"])", "0.4.0"},
      {R"("cniVersion":"1.0.0","cniVersions":[])", "1.0.0"},
      {R"("cniVersion":"0.1.0","cniVersion":"0.4.0")", "0.4.0"}};
  for (const auto& [members, version] : cases)
    EXPECT_EQ(parse_network_config("{\"name\":\"n\",\"type\":\"a\"," + members + "}").cni_version, version) << members;
}

TEST(NetworkConfig, TakesFlagsAsLibcniDoes) {
  for (const auto* yes : {"true", "\"true\"", "\"True\""})
    for (const auto* key : {"disableCheck", "disableGC"}) {
      const auto config =
          parse_network_config(std::string("{\"name\":\"n\",\"type\":\"a\",\"") + key + "\":" + yes + "}");
      EXPECT_EQ(config.disable_check, key == std::string("disableCheck")) << key << yes;
      EXPECT_EQ(config.disable_gc, key == std::string("disableGC")) << key << yes;
    }
}

constexpr const char* kResult = R"({"cniVersion":"1.0.0","dns":{"nameservers":["10.1.0.1"],"domain":"x"},
    "interfaces":[{"name":"cni0","mac":"00:00:00:00:00:01"},{"name":"veth1","mac":"00:00:00:00:00:02"},
                  {"name":"eth0","mac":"00:00:00:00:00:03","sandbox":"/run/netns/c1"}],
    "ips":[{"interface":2,"address":"11.13.0.2/20","gateway":"11.13.0.1"},
           {"interface":0,"address":"11.13.0.1/20"}, {"address":"fd00::2/64"}],
    "routes":[{"dst":"11.0.0.0/8"},{"dst":"0.0.0.0/0","gw":"11.13.0.1"}]})";

TEST(Result, SurvivesReadingAndWriting) {
  EXPECT_EQ(json::parse(to_json(parse_result(kResult))), json::parse(kResult));
}

TEST(Result, TellsThePodsAddressesAndTheWorkersEnd) {
  const auto result = parse_result(kResult);
  EXPECT_THAT(result.addresses(), ElementsAre(parse_address("11.13.0.2"), parse_address("fd00::2")));
  EXPECT_EQ(result.host_interface(), "veth1");
}

// The same result as each version has it. The routes' numbers and the interface's came with 1.1.0.
constexpr const char* kLatest = R"({"cniVersion":"1.1.0","dns":{"nameservers":["10.1.0.1"]},
    "interfaces":[{"name":"veth1","mac":"00:00:00:00:00:02"},
                  {"name":"eth0","sandbox":"/run/netns/c1","mtu":1450,"pciID":"0000:00:1f.6","socketPath":"/s"}],
    "ips":[{"interface":1,"address":"11.13.0.2/20","gateway":"11.13.0.1"},{"interface":1,"address":"fd00::2/64"},
           {"interface":1,"address":"11.14.0.2/20"}],
    "routes":[{"dst":"0.0.0.0/0","gw":"11.13.0.1","mtu":1400,"advmss":1360,"priority":10,"table":100,"scope":253},
              {"dst":"fd00::/8"}]})";

json as_version(const std::string& version) {
  auto result = parse_result(kLatest);
  result.cni_version = version;
  return json::parse(to_json(result));
}

TEST(Result, IsSpeltAsItsVersionSpellsIt) {
  EXPECT_EQ(as_version("1.1.0"), json::parse(kLatest));
  auto expected = json::parse(kLatest);
  expected["cniVersion"] = "1.0.0";
  EXPECT_EQ(as_version("1.0.0"), expected);
  for (const auto* member : {"mtu", "pciID", "socketPath"}) expected["interfaces"][1].erase(member);
  expected["ips"][0]["version"] = "4";
  expected["ips"][1]["version"] = "6";
  expected["ips"][2]["version"] = "4";
  for (const auto* version : {"0.4.0", "0.3.1", "0.3.0"}) {
    expected["cniVersion"] = version;
    EXPECT_EQ(as_version(version), expected);
  }
  for (const auto* version : {"0.2.0", "0.1.0"}) {
    expected = json::parse(R"({"dns":{"nameservers":["10.1.0.1"]},
        "ip4":{"ip":"11.13.0.2/20","gateway":"11.13.0.1","routes":[{"dst":"0.0.0.0/0","gw":"11.13.0.1"}]},
        "ip6":{"ip":"fd00::2/64","routes":[{"dst":"fd00::/8"}]}})");
    expected["cniVersion"] = version;
    EXPECT_EQ(as_version(version), expected);
  }
}

TEST(Result, IsReadInEveryVersion) {
  for (const auto& version : supported_versions()) {
    const auto written = as_version(version);
    const auto read = parse_result(written.dump());
    EXPECT_EQ(read.cni_version, version);
    EXPECT_THAT(read.addresses(), testing::IsSupersetOf({parse_address("11.13.0.2"), parse_address("fd00::2")}));
    EXPECT_EQ(read.ips[0].gateway, parse_address("11.13.0.1"));
    EXPECT_THAT(read.routes, testing::SizeIs(2));
    EXPECT_EQ(json::parse(to_json(read)), written);
    auto silent = written;
    silent.erase("cniVersion");
    EXPECT_EQ(parse_result(silent.dump(), version), read) << "a result without a version is of the one asked for";
  }
}

TEST(Result, NeedsAnAddressBefore030) {
  EXPECT_THROW(to_json(Result{.cni_version = "0.2.0"}), InputError);
  EXPECT_NO_THROW(to_json(Result{.cni_version = "0.3.0"}));
}

TEST(Result, RefusesWhatIsNone) {
  for (const std::string text :
       {"", "[]", "{\"ips\":[{}]}", "{\"ips\":[{\"address\":\"11.0.0.1\"}]}", "{\"ips\":[{\"address\":7}]}",
        "{\"ips\":[{\"address\":\"11.0.0.1/8\",\"interface\":1}],\"interfaces\":[{\"name\":\"x\"}]}",
        "{\"ips\":[{\"address\":\"11.0.0.1/8\",\"interface\":-1}],\"interfaces\":[{\"name\":\"x\"}]}",
        "{\"interfaces\":[{}]}", "{\"interfaces\":7}", "{\"routes\":[{\"dst\":\"x\"}]}", "{\"cniVersion\":\"2.0.0\"}",
        "{\"cniVersion\":\"0.2.0\",\"ip4\":{}}", "{\"cniVersion\":\"0.2.0\",\"ip4\":[1]}",
        "{\"routes\":[{\"dst\":\"11.0.0.0/8\",\"table\":-1}]}",
        "{\"routes\":[{\"dst\":\"11.0.0.0/8\",\"mtu\":4294967296}]}"})
    EXPECT_THROW(parse_result(text), InputError) << text;
}

constexpr const char* kSubnetEnv = "/tmp/knetsim/subnet.env";

PodLease parse(std::string_view text) {
  write_file_atomically(kSubnetEnv, text);
  return read_pod_lease(kSubnetEnv);
}

TEST(PodLease, IsReadWithOneOrBothAddressFamilies) {
  const auto one = parse(kIpv4Lease);
  EXPECT_THAT(one.networks, ElementsAre(parse_network("11.0.0.0/8")));
  EXPECT_THAT(one.subnets, ElementsAre(parse_network("11.13.0.0/20")));
  EXPECT_EQ(one.mtu, 1450U);
  EXPECT_FALSE(one.ip_masq);
  const auto both = parse(kDualStackLease);
  EXPECT_THAT(both.networks, ElementsAre(parse_network("11.0.0.0/8"), parse_network("fd00::/8")));
  EXPECT_THAT(both.subnets, ElementsAre(parse_network("11.13.0.0/20"), parse_network("fd00:0:0:1::/64")));
}

TEST(PodLease, HasEveryNetworkOfFlannelsAndNeedsNoPairOfAFamily) {
  const auto several = parse(
      "FLANNEL_NETWORK=10.244.0.0/16,192.168.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n"
      "FLANNEL_IPMASQ=true\n");
  EXPECT_THAT(several.networks, ElementsAre(parse_network("10.244.0.0/16"), parse_network("192.168.0.0/16")));
  const auto v6 = parse("FLANNEL_NETWORK=fd00::/8\nFLANNEL_SUBNET=fd00::1/64\nFLANNEL_MTU=0\nFLANNEL_IPMASQ=no\n");
  EXPECT_THAT(v6.networks, ElementsAre(parse_network("fd00::/8")));
  EXPECT_THAT(v6.subnets, ElementsAre(parse_network("fd00::/64")));
}

TEST(PodLease, NamesTheKeyThatIsMissingOrWrong) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"", "FLANNEL_NETWORK"},
      {"FLANNEL_NETWORK=11.0.0.0/8\n", "FLANNEL_SUBNET"},
      {"FLANNEL_SUBNET=11.13.0.1/20\n", "FLANNEL_NETWORK"},
      {"FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\n", "FLANNEL_MTU"},
      {"FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_MTU=big\n", "FLANNEL_MTU"},
      {"FLANNEL_NETWORK=11.0.0.0/8\nFLANNEL_SUBNET=11.13.0.1/20\nFLANNEL_MTU=1450\n", "FLANNEL_IPMASQ"},
      {"FLANNEL_NETWORK=11.0.0.0/80\nFLANNEL_SUBNET=11.13.0.1/20\n", "FLANNEL_NETWORK"}};
  for (const auto& one : wrong)
    EXPECT_THAT(thrown<InputError>([&] { parse(one.first); }).what(),
                AllOf(HasSubstr(one.second), HasSubstr(kSubnetEnv)))
        << one.first;
}

}  // namespace
}  // namespace knetsim::cni
