// Topologies: what is read is what stands in the file, and what can't be used is refused with file, place, value and
// remedy before anything is started.
#include "knetsim/emulator/topology.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Small, complete and right; each row of the table below breaks one thing in it.
const json kGood = json::parse(R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "t0"}, {"name": "s0", "uplink": "t0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0",
    "etcd": [{"name": "C0e1", "address": "10.0.0.1"}],
    "workers": [{"name": "C0w1", "address": "10.0.0.3"}, {"name": "C0w2", "address": "10.0.0.4"}],
    "flannel": {"config": {"Network": "11.0.0.0/8", "Backend": {"Type": "vxlan"}}},
    "containers": [{"name": "c1", "worker": "C0w1"}, {"name": "c2", "worker": "C0w2"}],
    "services": {"range": "100.64.0.0/16", "vips": [{"address": "100.64.10.1", "containers": ["c1", "c2"]}]}
  }]
})");

TEST(Topology, IsReadAsItStandsInTheFile) {
  const auto topology = Topology::from_json(kGood.dump(), "good.json");
  EXPECT_EQ(to_string(topology.underlay.networks.at(0)), "10.0.0.0/8");
  EXPECT_EQ(topology.underlay.switches.at(1).uplink, "t0");
  const auto& cluster = topology.clusters.at(0);
  EXPECT_EQ(cluster.etcd.at(0).name, "C0e1");
  EXPECT_EQ(cluster.workers.at(1).addresses.at(0).to_string(), "10.0.0.4");
  EXPECT_EQ(cluster.containers.at(1).worker, "C0w2");
  EXPECT_THAT(cluster.vips.at(0).containers, ElementsAre("c1", "c2"));
  EXPECT_EQ(cluster.flannel->flavour, parts::Flavour::automatic);
}

TEST(Topology, TakesAddressesOfBothFamilies) {
  auto dual = kGood;
  dual["underlay"]["network"] = {"10.0.0.0/8", "fd00::/64"};
  dual["clusters"][0]["workers"][0]["address"] = {"10.0.0.3", "fd00::3"};
  const auto topology = Topology::from_json(dual.dump(), "dual.json");
  EXPECT_EQ(topology.clusters.at(0).workers.at(0).addresses.at(1).to_string(), "fd00::3");
}

struct BadInput {
  const char* what;     // names the test
  const char* pointer;  // where kGood is changed
  const char* value;    // to what, as JSON
  const char* place;    // what the error must name
  const char* problem;
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.what; }

// Names that the kernel, iproute2, resolvers, /run/netns or the emulation use for something else.
TEST(Topology, RefusesNamesThatNothingCanHave) {
  const std::vector<std::pair<std::string, std::string>> nodes{{"default", "taken by the kernel"},
                                                               {"all", "taken by the kernel"},
                                                               {"lo", "taken by the loopback link"},
                                                               {"tunl0", "taken by the kernel"},
                                                               {"sit0", "taken by the kernel"},
                                                               {"bonding_masters", "taken by the kernel"},
                                                               {"any", "taken by tcpdump"},
                                                               {"localhost", "every host"},
                                                               {"LocalHost", "every host"},
                                                               {"10", "for an IP address"},
                                                               {"10.0.0.3", "for an IP address"},
                                                               {"0x7f", "for an IP address"},
                                                               {"-w1", "begins and ends"},
                                                               {"w1-", "begins and ends"},
                                                               {".w1", "begins and ends"},
                                                               {"w1.", "begins and ends"},
                                                               {"..", "begins and ends"},
                                                               {"a..b", "two dots"},
                                                               {"skupper", "taken by the emulation"},
                                                               {"etcdctl", "taken by the emulation"},
                                                               {std::string("w\0x", 3), "letters"},
                                                               {"w 1", "letters"},
                                                               {"w/1", "letters"},
                                                               {"w%d", "letters"},
                                                               {"w:1", "letters"},
                                                               {"c0E1", "resolvers don't look at case"},
                                                               {"c1.c0", "the same as the one at"}};
  for (const auto& [name, words] : nodes) {
    auto bad = kGood;
    bad["clusters"][0]["workers"][0]["name"] = name;
    bad["clusters"][0]["containers"][0]["worker"] = name;
    try {
      Topology::from_json(bad.dump(), "bad.json");
      FAIL() << name << " was accepted";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json:1: /clusters/0/"), HasSubstr("/name: "), HasSubstr(words),
                                      HasSubstr("remedy: ")))
          << name;
    }
  }
  for (const auto* container : {"localhost", "flanneld", "C2"}) {
    auto bad = kGood;
    bad["clusters"][0]["containers"][0]["name"] = container;
    bad["clusters"][0]["services"]["vips"] = json::array();
    EXPECT_THROW(Topology::from_json(bad.dump(), "bad.json"), InputError) << container;
  }
  for (const auto* fine : {"default", "all", "any", "localhost"}) {
    auto good = kGood;
    good["clusters"][0]["name"] = fine;
    EXPECT_NO_THROW(Topology::from_json(good.dump(), "good.json")) << "a cluster is no link: " << fine;
  }
}

TEST(Topology, RemarksMembersOfFlannelsConfigThatHaveNoEffect) {
  auto odd = kGood;
  odd["clusters"][0]["flannel"]["config"]["Netwrok"] = "11.0.0.0/8";
  odd["clusters"][0]["flannel"]["config"]["Backend"]["Vni6"] = 1;
  odd["clusters"][0]["flannel"]["config"]["Backend"]["vni"] = 7;
  EXPECT_THAT(Topology::from_json(odd.dump(), "odd.json").remarks,
              ElementsAre(HasSubstr("odd.json:1: /clusters/0/flannel/config/Netwrok: flannel takes no notice"),
                          HasSubstr("odd.json:1: /clusters/0/flannel/config/Backend/Vni6: flannel takes no notice")));
}

TEST(Topology, NamesTheContainerWhoseProgramIsNotThere) {
  auto bad = kGood;
  bad["clusters"][0]["containers"][1]["command"] = {"nosuchprog", "-x"};
  const auto topology = Topology::from_json(bad.dump(), "bad.json");
  try {
    topology.require_programs();
    FAIL() << "it was found";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("bad.json:1: /clusters/0/containers/1/command/0: \"nosuchprog\": container "
                                "c2 can't run it"),
                      HasSubstr("remedy: ")));
  }
}

TEST(Topology, RefusesAnArgumentThatNoProgramCanBeGiven) {
  auto bad = kGood;
  bad["clusters"][0]["containers"][1]["command"] = {"true", std::string(131'073, 'x')};
  try {
    Topology::from_json(bad.dump(), "bad.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json:1: /clusters/0/containers/1/command/1: "),
                                    HasSubstr("is 131073 bytes long"), HasSubstr("remedy: ")));
  }
}

class BadTopology : public testing::TestWithParam<BadInput> {};

TEST_P(BadTopology, IsRefusedWithFilePlaceValueAndRemedy) {
  auto bad = kGood;
  bad[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  try {
    Topology::from_json(bad.dump(), "bad.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json:1: /"), HasSubstr(GetParam().place),
                                    HasSubstr(GetParam().problem), HasSubstr("remedy: ")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , BadTopology,
    testing::Values(
        BadInput{"NoCluster", "/clusters", "[]", "/clusters: \"[]\"", "nothing to stand up"},
        BadInput{"ClusterWithoutNodes", "/clusters/0", R"({"name": "C0", "switch": "s0", "workers": []})",
                 "/clusters/0: \"C0\"", "nothing to stand up"},
        BadInput{"CommandOfNothing", "/clusters/0/containers/0/command", "[]", "/clusters/0/containers/0/command: []",
                 "names no program"},
        BadInput{"ANumberForAnObject", "/underlay", "7", "/underlay: 7", "is a number, must be an object"},
        BadInput{"AnObjectForAString", "/clusters/0/name", "{}", "/clusters/0/name: {}",
                 "is an object, must be a string"},
        BadInput{"CommandWithANul", "/clusters/0/containers/0/command", R"(["a\u0000b"])",
                 "/clusters/0/containers/0/command/0: ", "holds a NUL byte"},
        BadInput{"ANumberInQuotes", "/underlay/mtu", "\"1500\"", "/underlay/mtu: \"1500\"",
                 "is a string, must be a whole number"},
        BadInput{"AFractionForANumber", "/underlay/mtu", "1500.5", "/underlay/mtu: 1500.5", "must be a whole number"},
        BadInput{"AWordForABoolean", "/underlay/permanentNeighbours", "\"yes\"",
                 "/underlay/permanentNeighbours: \"yes\"", "is a string, must be true or false"},
        BadInput{"EmptyUplink", "/underlay/switches/1/uplink", "\"\"", "/underlay/switches/1/uplink: \"\"",
                 "names nothing"},
        BadInput{"NoNetworkInAList", "/underlay/network", "[]", "/underlay/network: []", "names no network"},
        BadInput{"UnknownBackend", "/clusters/0/flannel/config/Backend/Type", "\"udp\"",
                 "/clusters/0/flannel/config/Backend/Type: \"udp\"", "vxlan, host-gw or alloc"},
        BadInput{"SubnetLenOfAString", "/clusters/0/flannel/config/SubnetLen", "\"24\"",
                 "/clusters/0/flannel/config/SubnetLen: \"24\"", "must be a whole number"},
        BadInput{"UnknownKey", "/clusters/0/wrokers", "[]", "/clusters/0/wrokers", "unknown key \"wrokers\""},
        BadInput{"WrongType", "/clusters/0/workers/0/name", "7", "/clusters/0/workers/0/name: 7", "must be a string"},
        BadInput{"ObjectInsteadOfArray", "/clusters/0/workers", "{}", "/clusters/0/workers: {}", "must be an array"},
        BadInput{"MissingKey", "/clusters/0/workers/0", R"({"name": "C0w1"})", "/clusters/0/workers/0",
                 "\"address\" is missing"},
        BadInput{"DoubledName", "/clusters/0/workers/1/name", "\"C0w1\"", "/clusters/0/workers/1/name: \"C0w1\"",
                 "used at /clusters/0/workers/0/name"},
        BadInput{"NameOfASwitch", "/clusters/0/workers/1/name", "\"t0\"", "/clusters/0/workers/1/name: \"t0\"",
                 "used at /underlay/switches/0/name"},
        BadInput{"LongName", "/clusters/0/workers/0/name", "\"sixteen-letters-\"", "/clusters/0/workers/0/name",
                 "1 to 15 characters"},
        BadInput{"NameWithASlash", "/clusters/0/workers/0/name", "\"../etc\"", "/clusters/0/workers/0/name: \"../etc\"",
                 "made of letters"},
        BadInput{"AddressClash", "/clusters/0/workers/1/address", "\"10.0.0.3\"",
                 "/clusters/0/workers/1/address: \"10.0.0.3\"", "C0w1's already"},
        BadInput{"AddressOutsideTheUnderlay", "/clusters/0/workers/1/address", "\"192.168.0.1\"",
                 "/clusters/0/workers/1/address: \"192.168.0.1\"", "no network of the underlay"},
        BadInput{"NetworkAsAddress", "/clusters/0/workers/1/address", "\"10.0.0.0\"",
                 "/clusters/0/workers/1/address: \"10.0.0.0\"", "the network's own address"},
        BadInput{"NodeWithoutAnAddress", "/clusters/0/workers/1/address", "[]", "/clusters/0/workers/1/address: \"[]\"",
                 "a node needs an address"},
        BadInput{"NoAddress", "/clusters/0/workers/1/address", "\"10.0.0\"",
                 "/clusters/0/workers/1/address: \"10.0.0\"", "isn't an IP address"},
        BadInput{"PrefixTooLong", "/underlay/network", "\"10.0.0.0/33\"", "/underlay/network: \"10.0.0.0/33\"",
                 "longer than the address"},
        BadInput{"PrefixNoNumber", "/underlay/network", "\"10.0.0.0/x\"", "/underlay/network: \"10.0.0.0/x\"",
                 "isn't a number"},
        BadInput{"HostBits", "/underlay/network", "\"10.0.0.1/8\"", "/underlay/network: \"10.0.0.1/8\"",
                 "write 10.0.0.0/8"},
        BadInput{"UnknownContainerInAVip", "/clusters/0/services/vips/0/containers/1", "\"c9\"",
                 "/clusters/0/services/vips/0/containers/1: \"c9\"", "no container of that name"},
        BadInput{"EmptyVip", "/clusters/0/services/vips/0/containers", "[]", "/clusters/0/services/vips/0/containers",
                 "needs containers"},
        BadInput{
            "VipTwice", "/clusters/0/services/vips",
            R"([{"address": "100.64.10.1", "containers": ["c1"]}, {"address": "100.64.10.1", "containers": ["c2"]}])",
            "/clusters/0/services/vips/1/address: \"100.64.10.1\"", "stands twice"},
        BadInput{"ContainerTwiceBehindAVip", "/clusters/0/services/vips/0/containers", R"(["c1", "c1"])",
                 "/clusters/0/services/vips/0/containers/0: \"c1\"", "stands twice"},
        BadInput{"VipOutsideItsRange", "/clusters/0/services/vips/0/address", "\"100.65.0.1\"",
                 "/clusters/0/services/vips/0/address: \"100.65.0.1\"", "outside the range"},
        BadInput{"UnknownWorker", "/clusters/0/containers/0/worker", "\"C0w9\"",
                 "/clusters/0/containers/0/worker: \"C0w9\"", "no worker of that name"},
        BadInput{"DoubledContainer", "/clusters/0/containers/1/name", "\"c1\"", "/clusters/0/containers/1/name: \"c1\"",
                 "has a container of that name"},
        BadInput{"UnknownSwitch", "/clusters/0/switch", "\"s9\"", "/clusters/0/switch: \"s9\"",
                 "no switch of that name"},
        BadInput{"UplinkToALaterSwitch", "/underlay/switches/0", R"({"name": "t0", "uplink": "s0"})",
                 "/underlay/switches/0/uplink: \"s0\"", "listed before"},
        BadInput{"FlannelWithoutEtcd", "/clusters/0/etcd", "[]", "/clusters/0/flannel", "flannel needs etcd"},
        BadInput{"UnfitFlannelConfig", "/clusters/0/flannel/config", R"({"Network": "11.0.0.0/30"})",
                 "/clusters/0/flannel/config", "/28"},
        BadInput{"UnknownCni", "/clusters/0/cni", "\"vanilla\"", "/clusters/0/cni: \"vanilla\"", "no such choice"},
        BadInput{"UnfitCniConf", "/clusters/0/cni", R"({"conf": {"name": "n", "plugins": [{}]}})",
                 "/clusters/0/cni/conf/plugins/0/type: ", "the key \"type\" is missing"},
        BadInput{"RuntimeConfigThatIsNone", "/clusters/0/containers/0/runtimeConfig", "8080",
                 "/clusters/0/containers/0/runtimeConfig: 8080", "must be an object"},
        BadInput{"UnknownFlavour", "/clusters/0/flannel/flavour", "\"vanilla\"",
                 "/clusters/0/flannel/flavour: \"vanilla\"", "no such choice"},
        BadInput{"OverlappingUnderlays", "/underlay/network", R"(["10.0.0.0/8", "10.1.0.0/16"])",
                 "/underlay/network: \"10.1.0.0/16\"", "shares addresses with the underlay's network 10.0.0.0/8"},
        BadInput{"BroadcastAddress", "/clusters/0/workers/1/address", "\"10.255.255.255\"",
                 "/clusters/0/workers/1/address: \"10.255.255.255\"", "broadcast"},
        BadInput{"NameOfACable", "/clusters/0/workers/1/name", "\"up4\"", "/clusters/0/workers/1/name: \"up4\"",
                 "uses such names itself"},
        BadInput{"NameOfACablesOtherEnd", "/underlay/switches/1/name", "\"down12\"",
                 "/underlay/switches/1/name: \"down12\"", "uses such names itself"},
        BadInput{"NameOfALeaf", "/clusters/0/etcd/0/name", "\"leaf1.2\"", "/clusters/0/etcd/0/name: \"leaf1.2\"",
                 "uses such names itself"},
        BadInput{"NameOfAContainersNamespace", "/clusters/0/workers/1/name", "\"k0_c1\"",
                 "/clusters/0/workers/1/name: \"k0_c1\"", "uses such names itself"},
        BadInput{"FlannelOverTheUnderlay", "/clusters/0/flannel/config/Network", "\"10.64.0.0/10\"",
                 "/clusters/0/flannel/config: \"10.64.0.0/10\"", "the underlay's network 10.0.0.0/8"},
        BadInput{"ServicesOverTheUnderlay", "/clusters/0/services/range", R"(["100.64.0.0/16", "10.96.0.0/12"])",
                 "/clusters/0/services/range: \"10.96.0.0/12\"", "the underlay's network 10.0.0.0/8"},
        BadInput{"ServicesOverThePods", "/clusters/0/services/range", R"(["100.64.0.0/16", "11.1.0.0/16"])",
                 "/clusters/0/services/range: \"11.1.0.0/16\"", "flannel's network 11.0.0.0/8"},
        BadInput{"PodSubnetBesideFlannel", "/clusters/0/workers/1/podSubnet", "\"12.0.0.0/24\"",
                 "/clusters/0/workers/1/podSubnet: \"12.0.0.0/24\"", "flannel gives the worker its subnet"},
        BadInput{"VipOfAFamilyThatThePodsLack", "/clusters/0/services",
                 R"({"range": "fd64::/64", "vips": [{"address": "fd64::1", "containers": ["c1"]}]})",
                 "/clusters/0/services/vips/0/containers/0: \"c1\"", "no address of the family of fd64::1"},
        BadInput{"VipThatIsMulticast", "/clusters/0/services",
                 R"({"range": "224.0.0.0/8", "vips": [{"address": "224.0.0.9", "containers": ["c1"]}]})",
                 "/clusters/0/services/vips/0/address: \"224.0.0.9\"", "can't be translated"},
        BadInput{"FlannelWithoutWorkers", "/clusters/0",
                 R"({"name": "C0", "switch": "s0", "etcd": [{"name": "e1", "address": "10.0.0.1"}], "workers": [],
                     "flannel": {"config": {"Network": "11.0.0.0/8"}}})",
                 "/clusters/0/workers: \"0\"", "needs a worker"},
        BadInput{"MixedFlannelOnOneWorker", "/clusters/0",
                 R"({"name": "C0", "switch": "s0", "etcd": [{"name": "e1", "address": "10.0.0.1"}],
                     "workers": [{"name": "w1", "address": "10.0.0.3"}],
                     "flannel": {"flavour": "mixed", "config": {"Network": "11.0.0.0/8"}}})",
                 "/clusters/0/workers: \"1\"", "needs two"},
        BadInput{"FlannelPrefixOfSlashes", "/clusters/0/flannel/prefix", "\"//\"", "/clusters/0/flannel/prefix: \"//\"",
                 "can't be the prefix"},
        BadInput{"MtuOutOfRange", "/underlay/mtu", "99999", "/underlay/mtu: 99999", "out of range"}),
    [](const auto& row) { return row.param.what; });

// The same for workers that have their pods' subnets from the topology itself.
const json kStatic = json::parse(R"({
  "underlay": {"network": ["10.0.0.0/8", "fd00::/64"], "switches": [{"name": "s0"}]},
  "clusters": [{
    "name": "C0", "switch": "s0",
    "workers": [{"name": "w1", "address": "10.0.0.3", "podSubnet": ["11.1.0.0/24", "fd11:0:0:1::/64"]},
                {"name": "w2", "address": "10.0.0.4", "podSubnet": "11.2.0.0/24"}],
    "containers": [{"name": "c1", "worker": "w1"}, {"name": "c2", "worker": "w2"}],
    "services": {"range": ["100.64.0.0/16", "fd64::/64"], "vips": [{"address": "fd64::1", "containers": ["c1"]}]}
  }]
})");

class BadStaticTopology : public testing::TestWithParam<BadInput> {};

TEST_P(BadStaticTopology, IsRefusedWithFilePlaceValueAndRemedy) {
  ASSERT_NO_THROW(Topology::from_json(kStatic.dump(), "good.json"));
  auto bad = kStatic;
  bad[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  try {
    Topology::from_json(bad.dump(), "bad.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json:1: /"), HasSubstr(GetParam().place),
                                    HasSubstr(GetParam().problem), HasSubstr("remedy: ")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , BadStaticTopology,
    testing::Values(BadInput{"EqualPodSubnets", "/clusters/0/workers/1/podSubnet", "\"11.1.0.0/24\"",
                             "/clusters/0/workers/1/podSubnet: \"11.1.0.0/24\"", "w1's podSubnet 11.1.0.0/24"},
                    BadInput{"PodSubnetAroundAnother", "/clusters/0/workers/1/podSubnet", "\"11.0.0.0/8\"",
                             "/clusters/0/workers/1/podSubnet: \"11.0.0.0/8\"", "w1's podSubnet 11.1.0.0/24"},
                    BadInput{"PodSubnetWithinAnother", "/clusters/0/workers/1/podSubnet", "\"11.1.0.128/25\"",
                             "/clusters/0/workers/1/podSubnet: \"11.1.0.128/25\"", "w1's podSubnet 11.1.0.0/24"},
                    BadInput{"PodSubnetOverTheUnderlay", "/clusters/0/workers/1/podSubnet", "\"10.7.0.0/24\"",
                             "/clusters/0/workers/1/podSubnet: \"10.7.0.0/24\"", "the underlay's network 10.0.0.0/8"},
                    BadInput{"PodSubnetOfOneAddress", "/clusters/0/workers/1/podSubnet", "\"11.2.0.1/32\"",
                             "/clusters/0/workers/1/podSubnet: \"11.2.0.1/32\"", "no room"},
                    BadInput{"PodSubnetOfTwoAddresses", "/clusters/0/workers/1/podSubnet", "\"11.2.0.0/31\"",
                             "/clusters/0/workers/1/podSubnet: \"11.2.0.0/31\"", "no room"},
                    BadInput{"TwoPodSubnetsOfAFamily", "/clusters/0/workers/1/podSubnet",
                             R"(["11.2.0.0/24", "11.3.0.0/24"])", "/clusters/0/workers/1/podSubnet: \"11.3.0.0/24\"",
                             "one subnet of each address family"},
                    BadInput{"MulticastAddress", "", R"({
                   "underlay": {"network": "224.0.0.0/4", "switches": [{"name": "s0"}]},
                   "clusters": [{"name": "C0", "switch": "s0", "workers": [{"name": "w1", "address": "224.0.0.5"}]}]})",
                             "/clusters/0/workers/0/address: \"224.0.0.5\"", "isn't an address that a node can have"},
                    BadInput{"VipOfAFamilyThatOneOfItsPodsLacks", "/clusters/0/services/vips/0/containers",
                             R"(["c1", "c2"])", "/clusters/0/services/vips/0/containers/1: \"c2\"",
                             "no address of the family of fd64::1"}),
    [](const auto& row) { return row.param.what; });

TEST(Topology, TakesTheSameNetworksInTwoClustersAndPointToPointUnderlays) {
  auto twice = kStatic;
  twice["underlay"]["network"].push_back("172.16.0.0/31");
  auto second = kStatic["clusters"][0];
  second["name"] = "C1";
  for (int i = 0; i < 2; ++i) {
    second["workers"][i]["name"] = "v" + std::to_string(i);
    second["workers"][i]["address"] = "10.0.1." + std::to_string(i + 1);
    second["containers"][i]["worker"] = second["workers"][i]["name"];
  }
  second["workers"][1]["address"] = {"10.0.1.2", "172.16.0.1"};
  twice["clusters"].push_back(second);
  EXPECT_NO_THROW(Topology::from_json(twice.dump(), "twice.json"));
}

TEST(Topology, RefusesTextThatIsNotJson) {
  try {
    Topology::from_json("{\n  \"underlay\": \n}", "torn.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(testing::StartsWith("torn.json:3:1: syntax error"), HasSubstr("remedy: ")));
  }
}

TEST(Topology, RefusesAKeyThatStandsTwiceAndPointsAtIt) {
  const std::pair<const char*, const char*> texts[]{
      {R"({"underlay": {}, "underlay": {}, "clusters": []})", "/underlay: the key \"underlay\" stands twice"},
      {R"({"clusters": [{}, {"workers": [[1, {"a/b": 0}], {"name": 1, "name": 2}]}], "underlay": {}})",
       "/clusters/1/workers/1/name: the key \"name\" stands twice"},
      {R"([{"a": {"b/c": 1}}, {"b/c": 1, "b/c": 2}])", "/1/b~1c: the key \"b/c\" stands twice"}};
  for (const auto& [text, complaint] : texts) {
    try {
      Topology::from_json(text, "twice.json");
      FAIL() << "it was accepted: " << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(),
                  AllOf(testing::StartsWith("twice.json:1: " + std::string(complaint)), HasSubstr("remedy: ")));
    }
  }
}

TEST(Topology, NamesTheFileThatIsNotThere) {
  try {
    Topology::from_file("/nonexistent/demo.json");
    FAIL() << "it was read";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("/nonexistent/demo.json"), HasSubstr("ENOENT"), HasSubstr("remedy: ")));
  }
}

TEST(Topology, MadeInCodeHasAnMtuThatLinksCanHave) {
  Topology topology{
      .underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "s0"}}},
      .clusters = {
          {.name = "C0", .switch_name = "s0", .workers = {{.name = "w1", .addresses = {parse_address("10.0.0.1")}}}}}};
  EXPECT_NO_THROW(topology.validate());
  topology.underlay.mtu = 68;
  EXPECT_THROW(topology.validate(), InputError);
}

TEST(Topology, MadeInCodeIsCheckedAsWell) {
  Topology topology{
      .underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "a-name-far-too-long"}}},
      .clusters = {}};
  EXPECT_THROW(topology.validate(), InputError);
}

}  // namespace
}  // namespace knetsim
