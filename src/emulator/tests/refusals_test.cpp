// Topologies that can't be used are refused at the place where they are wrong, before anything is started. How that is
// worded stands in refusals.txt, for people.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "good_topologies.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/fixtures/golden.h"
#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

struct BadInput {
  std::string what;  // names the test
  const json* good;
  std::string pointer;     // where that is changed
  std::string value;       // to what, as JSON
  std::string place = {};  // where it is refused, if that isn't where it was changed
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.what; }

const std::vector<BadInput>& bad_inputs() {
  static const std::vector<BadInput> rows{
      {"NoCluster", &kGood, "/clusters", "[]"},
      {"ClusterWithoutNodes", &kGood, "/clusters/0", R"({"name": "C0", "switch": "s0", "workers": []})"},
      {"ManifestWithoutAName", &kGood, "/clusters/0/manifests", R"([""])", "/clusters/0/manifests/0"},
      {"ManifestsWithoutAnApi", &kGood, "/clusters/0",
       R"({"name": "C0", "switch": "s0", "manifests": ["web.yaml"], "workers": [{"name": "C0w1", "address": "10.0.0.3"}]})",
       "/clusters/0/manifests/0"},
      {"CommandOfNothing", &kGood, "/clusters/0/containers/0/command", "[]"},
      {"ANumberForAnObject", &kGood, "/underlay", "7"},
      {"AnObjectForAString", &kGood, "/clusters/0/name", "{}"},
      {"CommandWithANul", &kGood, "/clusters/0/containers/0/command", R"(["a\u0000b"])",
       "/clusters/0/containers/0/command/0"},
      {"ANumberInQuotes", &kGood, "/underlay/mtu", "\"1500\""},
      {"AFractionForANumber", &kGood, "/underlay/mtu", "1500.5"},
      {"AWordForABoolean", &kGood, "/underlay/permanentNeighbours", "\"yes\""},
      {"EmptyUplink", &kGood, "/underlay/switches/1/uplink", "\"\""},
      {"NoNetworkInAList", &kGood, "/underlay/network", "[]"},
      {"UnknownBackend", &kGood, "/clusters/0/flannel/config/Backend/Type", "\"udp\""},
      {"SubnetLenOfAString", &kGood, "/clusters/0/flannel/config/SubnetLen", "\"24\""},
      {"UnknownKey", &kGood, "/clusters/0/wrokers", "[]"},
      {"WrongType", &kGood, "/clusters/0/workers/0/name", "7"},
      {"ObjectInsteadOfArray", &kGood, "/clusters/0/workers", "{}"},
      {"MissingKey", &kGood, "/clusters/0/workers/0", R"({"name": "C0w1"})", "/clusters/0/workers/0/address"},
      {"DoubledName", &kGood, "/clusters/0/workers/1/name", "\"C0w1\""},
      {"NameOfASwitch", &kGood, "/clusters/0/workers/1/name", "\"t0\""},
      {"LongName", &kGood, "/clusters/0/workers/0/name", "\"sixteen-letters-\""},
      {"NameWithASlash", &kGood, "/clusters/0/workers/0/name", "\"../etc\""},
      {"AddressClash", &kGood, "/clusters/0/workers/1/address", "\"10.0.0.3\""},
      {"AddressOutsideTheUnderlay", &kGood, "/clusters/0/workers/1/address", "\"192.168.0.1\""},
      {"NetworkAsAddress", &kGood, "/clusters/0/workers/1/address", "\"10.0.0.0\""},
      {"NodeWithoutAnAddress", &kGood, "/clusters/0/workers/1/address", "[]"},
      {"NoAddress", &kGood, "/clusters/0/workers/1/address", "\"10.0.0\""},
      {"PrefixTooLong", &kGood, "/underlay/network", "\"10.0.0.0/33\""},
      {"PrefixNoNumber", &kGood, "/underlay/network", "\"10.0.0.0/x\""},
      {"HostBits", &kGood, "/underlay/network", "\"10.0.0.1/8\""},
      {"UnknownContainerInAVip", &kGood, "/clusters/0/services/vips/0/containers/1", "\"c9\""},
      {"EmptyVip", &kGood, "/clusters/0/services/vips/0/containers", "[]"},
      {"VipTwice", &kGood, "/clusters/0/services/vips",
       R"([{"address": "100.64.10.1", "containers": ["c1"]}, {"address": "100.64.10.1", "containers": ["c2"]}])",
       "/clusters/0/services/vips/1/address"},
      {"ContainerTwiceBehindAVip", &kGood, "/clusters/0/services/vips/0/containers", R"(["c1", "c1"])",
       "/clusters/0/services/vips/0/containers/0"},
      {"VipOutsideItsRange", &kGood, "/clusters/0/services/vips/0/address", "\"100.65.0.1\""},
      {"UnknownWorker", &kGood, "/clusters/0/containers/0/worker", "\"C0w9\""},
      {"DoubledContainer", &kGood, "/clusters/0/containers/1/name", "\"c1\""},
      {"UnknownSwitch", &kGood, "/clusters/0/switch", "\"s9\""},
      {"UplinkToALaterSwitch", &kGood, "/underlay/switches/0", R"({"name": "t0", "uplink": "s0"})",
       "/underlay/switches/0/uplink"},
      {"FlannelWithoutEtcd", &kGood, "/clusters/0/etcd", "[]", "/clusters/0/flannel"},
      {"UnfitFlannelConfig", &kGood, "/clusters/0/flannel/config", R"({"Network": "11.0.0.0/30"})",
       "/clusters/0/flannel/config/Network"},
      {"UnknownCni", &kGood, "/clusters/0/cni", "\"vanilla\""},
      {"UnfitCniConf", &kGood, "/clusters/0/cni", R"({"conf": {"name": "n", "plugins": [{}]}})",
       "/clusters/0/cni/conf/plugins/0/type"},
      {"RuntimeConfigThatIsNone", &kGood, "/clusters/0/containers/0/runtimeConfig", "8080"},
      {"UnknownFlavour", &kGood, "/clusters/0/flannel/flavour", "\"vanilla\""},
      {"OverlappingUnderlays", &kGood, "/underlay/network", R"(["10.0.0.0/8", "10.1.0.0/16"])"},
      {"BroadcastAddress", &kGood, "/clusters/0/workers/1/address", "\"10.255.255.255\""},
      {"NameOfACable", &kGood, "/clusters/0/workers/1/name", "\"up4\""},
      {"NameOfACablesOtherEnd", &kGood, "/underlay/switches/1/name", "\"down12\""},
      {"NameOfALeaf", &kGood, "/clusters/0/etcd/0/name", "\"leaf1.2\""},
      {"NameOfAContainersNamespace", &kGood, "/clusters/0/workers/1/name", "\"k0_c1\""},
      {"FlannelOverTheUnderlay", &kGood, "/clusters/0/flannel/config/Network", "\"10.64.0.0/10\"",
       "/clusters/0/flannel/config"},
      {"ServicesOverTheUnderlay", &kGood, "/clusters/0/services/range", R"(["100.64.0.0/16", "10.96.0.0/12"])"},
      {"ServicesOverThePods", &kGood, "/clusters/0/services/range", R"(["100.64.0.0/16", "11.1.0.0/16"])"},
      {"PodSubnetBesideFlannel", &kGood, "/clusters/0/workers/1/podSubnet", "\"12.0.0.0/24\""},
      {"VipOfAFamilyThatThePodsLack", &kGood, "/clusters/0/services",
       R"({"range": "fd64::/64", "vips": [{"address": "fd64::1", "containers": ["c1"]}]})",
       "/clusters/0/services/vips/0/containers/0"},
      {"VipThatIsMulticast", &kGood, "/clusters/0/services",
       R"({"range": "224.0.0.0/8", "vips": [{"address": "224.0.0.9", "containers": ["c1"]}]})",
       "/clusters/0/services/vips/0/address"},
      {"FlannelWithoutWorkers", &kGood, "/clusters/0",
       R"({"name": "C0", "switch": "s0", "etcd": [{"name": "e1", "address": "10.0.0.1"}], "workers": [],
                     "flannel": {"config": {"Network": "11.0.0.0/8"}}})",
       "/clusters/0/workers"},
      {"MixedFlannelOnOneWorker", &kGood, "/clusters/0",
       R"({"name": "C0", "switch": "s0", "etcd": [{"name": "e1", "address": "10.0.0.1"}],
                     "workers": [{"name": "w1", "address": "10.0.0.3"}],
                     "flannel": {"flavour": "mixed", "config": {"Network": "11.0.0.0/8"}}})",
       "/clusters/0/workers"},
      {"FlannelPrefixOfSlashes", &kGood, "/clusters/0/flannel/prefix", "\"//\""},
      {"MtuOutOfRange", &kGood, "/underlay/mtu", "99999"},
      {"EqualPodSubnets", &kStatic, "/clusters/0/workers/1/podSubnet", "\"11.1.0.0/24\""},
      {"PodSubnetAroundAnother", &kStatic, "/clusters/0/workers/1/podSubnet", "\"11.0.0.0/8\""},
      {"PodSubnetWithinAnother", &kStatic, "/clusters/0/workers/1/podSubnet", "\"11.1.0.128/25\""},
      {"PodSubnetOverTheUnderlay", &kStatic, "/clusters/0/workers/1/podSubnet", "\"10.7.0.0/24\""},
      {"PodSubnetOfOneAddress", &kStatic, "/clusters/0/workers/1/podSubnet", "\"11.2.0.1/32\""},
      {"PodSubnetOfTwoAddresses", &kStatic, "/clusters/0/workers/1/podSubnet", "\"11.2.0.0/31\""},
      {"TwoPodSubnetsOfAFamily", &kStatic, "/clusters/0/workers/1/podSubnet", R"(["11.2.0.0/24", "11.3.0.0/24"])"},
      {"MulticastAddress", &kStatic, "", R"({
                   "underlay": {"network": "224.0.0.0/4", "switches": [{"name": "s0"}]},
                   "clusters": [{"name": "C0", "switch": "s0", "workers": [{"name": "w1", "address": "224.0.0.5"}]}]})",
       "/clusters/0/workers/0/address"},
      {"VipOfAFamilyThatOneOfItsPodsLacks", &kStatic, "/clusters/0/services/vips/0/containers", R"(["c1", "c2"])",
       "/clusters/0/services/vips/0/containers/1"},
      {"UnknownMember", &kGoodSites, "/clusters/0/skupper/service", "[]"},
      {"UnknownRoutersFlavour", &kGoodSites, "/clusters/0/skupper/flavour", "\"fast\""},
      {"EmptyCommand", &kGoodSites, "/clusters/0/containers/0/command", "[\"\"]"},
      {"UnknownCluster", &kGoodSites, "/clusters/1/skupper/links/0/cluster", "\"C9\""},
      {"ItsOwnCluster", &kGoodSites, "/clusters/1/skupper/links/0/cluster", "\"C1\""},
      {"ClusterWithoutARouter", &kGoodSites, "/clusters/1/skupper/links/0/cluster", "\"C4\""},
      {"LinkTwice", &kGoodSites, "/clusters/1/skupper/links", R"([{"cluster": "C0"}, {"cluster": "C0"}])",
       "/clusters/1/skupper/links/1/cluster"},
      {"CostZero", &kGoodSites, "/clusters/1/skupper/links/0/cost", "0"},
      {"NoName", &kGoodSites, "/clusters/2/skupper/services/0/name", "\"\""},
      {"NameWithABlank", &kGoodSites, "/clusters/2/skupper/services/0/name", "\"a b\""},
      {"UnknownContainer", &kGoodSites, "/clusters/2/skupper/services/0/container", "\"c9\""},
      {"PortZero", &kGoodSites, "/clusters/2/skupper/services/0/port", "0"},
      {"PortOfTheRouter", &kGoodSites, "/clusters/2/skupper/services/0/listenPort", "55671"},
      {"PortOfAnotherService", &kGoodSites, "/clusters/2/skupper/services/0/listenPort", "1028"},
      {"TwoPortsOfAService", &kGoodSites, "/clusters/0/skupper/services/1/listenPort", "1030"},
      {"ServiceTwice", &kGoodSites, "/clusters/0/skupper/services/1/container", "\"c1\""},
      {"NoWorker", &kGoodSites, "/clusters/3/workers", "[]", "/clusters/3/skupper"}};
  return rows;
}

std::string refusal_of(const BadInput& input) {
  auto bad = *input.good;
  bad[json::json_pointer(input.pointer)] = json::parse(input.value);
  try {
    Topology::from_json(bad.dump(), "bad.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

class BadTopology : public testing::TestWithParam<BadInput> {};

TEST_P(BadTopology, IsRefusedWithFilePlaceAndRemedy) {
  const auto& place = GetParam().place.empty() ? GetParam().pointer : GetParam().place;
  EXPECT_THAT(refusal_of(GetParam()), AllOf(StartsWith("bad.json:1: " + place + ": "), HasSubstr("\n  remedy: ")));
}

INSTANTIATE_TEST_SUITE_P(, BadTopology, testing::ValuesIn(bad_inputs()),
                         [](const auto& row) { return row.param.what; });

TEST(GoodTopologies, AreAccepted) {
  for (const auto* good : {&kGood, &kStatic, &kGoodSites})
    EXPECT_NO_THROW(Topology::from_json(good->dump(), "good.json"));
}

TEST(TopologyRefusals, AreWordedAsTheGoldenFileHasThem) {
  std::string all;
  for (const auto& input : bad_inputs()) all += input.what + "\n  " + refusal_of(input) + "\n";
  expect_golden(std::filesystem::path(KNETSIM_SOURCE) / "src/emulator/tests/refusals.txt", all);
}

}  // namespace
}  // namespace knetsim
