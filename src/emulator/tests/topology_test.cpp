// Topologies: what is read is what stands in the file, and what can't be used is refused with file, place, value and
// remedy before anything is started.
#include "knetsim/emulator/topology.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

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
  EXPECT_EQ(cluster.flannel->flavour, "auto");
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

class BadTopology : public testing::TestWithParam<BadInput> {};

TEST_P(BadTopology, IsRefusedWithFilePlaceValueAndRemedy) {
  auto bad = kGood;
  bad[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  try {
    Topology::from_json(bad.dump(), "bad.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json: "), HasSubstr(GetParam().place), HasSubstr(GetParam().problem),
                                    HasSubstr("remedy: ")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , BadTopology,
    testing::Values(
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
        BadInput{"UnknownFlavour", "/clusters/0/flannel/flavour", "\"vanilla\"",
                 "/clusters/0/flannel/flavour: \"vanilla\"", "no such choice"},
        BadInput{"MtuOutOfRange", "/underlay/mtu", "99999", "/underlay/mtu: 99999", "out of range"}),
    [](const auto& row) { return row.param.what; });

TEST(Topology, RefusesTextThatIsNotJson) {
  try {
    Topology::from_json("{\n  \"underlay\": \n}", "torn.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("torn.json"), HasSubstr("line 3")));
  }
}

TEST(Topology, RefusesAKeyThatStandsTwice) {
  try {
    Topology::from_json(R"({"underlay": {}, "underlay": {}, "clusters": []})", "twice.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("twice.json"), HasSubstr("\"underlay\" stands twice")));
  }
}

TEST(Topology, NamesTheFileThatIsNotThere) { EXPECT_THROW(Topology::from_file("/nonexistent/demo.json"), SystemError); }

TEST(Topology, MadeInCodeIsCheckedAsWell) {
  Topology topology{
      .underlay = {.networks = {parse_network("10.0.0.0/8")}, .switches = {{.name = "a-name-far-too-long"}}},
      .clusters = {}};
  EXPECT_THROW(topology.validate(), InputError);
}

}  // namespace
}  // namespace knetsim
