// What is read and written: configurations, results, subnet.env.

#include <gmock/gmock.h>

#include "knetsim/cni/config.h"
#include "knetsim/cni/pod_lease.h"
#include "knetsim/cni/result.h"
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
      {"{", "/"},
      {"[]", "/"},
      {R"({"cniVersion":"1.0.0"})", "/name"},
      {R"({"cniVersion":"1.0.0","name":"../n"})", "/name"},
      {R"({"name":"n"})", "/cniVersion"},
      {R"({"cniVersion":"9.0.0","name":"n"})", "/cniVersion"},
      {R"({"cniVersion":"1.0.0","name":"n"})", "/type"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":{}})", "/plugins"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[]})", "/plugins"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a"},7]})", "/plugins/1"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{}]})", "/plugins/0/type"},
      {R"({"cniVersion":"1.0.0","name":"n","plugins":[{"type":"/bin/sh"}]})", "/plugins/0/type"},
      {R"({"cniVersion":"1.0.0","name":"n","disableCheck":"yes","plugins":[{"type":"a"}]})", "/disableCheck"}};
  for (const auto& [text, pointer] : wrong)
    EXPECT_THAT(thrown<InputError>([&] { parse_network_config(text); }).what(),
                AllOf(HasSubstr(": " + pointer + ": "), HasSubstr("remedy: ")))
        << text;
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

TEST(Result, HasTheAddressFamilyInItBefore100) {
  auto result = parse_result(kResult);
  result.cni_version = "0.4.0";
  const auto written = json::parse(to_json(result));
  EXPECT_EQ(written["ips"][0]["version"], "4");
  EXPECT_EQ(written["ips"][2]["version"], "6");
  EXPECT_EQ(parse_result(written.dump()), result);
}

TEST(Result, RefusesWhatIsNone) {
  for (const std::string text :
       {"", "[]", "{\"ips\":[{}]}", "{\"ips\":[{\"address\":\"11.0.0.1\"}]}", "{\"ips\":[{\"address\":7}]}",
        "{\"ips\":[{\"address\":\"11.0.0.1/8\",\"interface\":1}],\"interfaces\":[{\"name\":\"x\"}]}",
        "{\"ips\":[{\"address\":\"11.0.0.1/8\",\"interface\":-1}],\"interfaces\":[{\"name\":\"x\"}]}",
        "{\"interfaces\":[{}]}", "{\"routes\":[{\"dst\":\"x\"}]}", "{\"cniVersion\":\"0.2.0\"}"})
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
  for (const auto& [text, key] : wrong)
    EXPECT_THAT(thrown<InputError>([&] { parse(text); }).what(), AllOf(HasSubstr(key), HasSubstr(kSubnetEnv))) << text;
}

}  // namespace
}  // namespace knetsim::cni
