// Topologies: what is read is what stands in the file. What is refused: refusals_test.cpp.
#include "knetsim/emulator/topology.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "good_topologies.h"
#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(Topology, FindsManifestsBesideItsFile) {
  auto with = kGood;
  with["clusters"][0]["manifests"] = {"web.yaml", "../shop.yaml", "/etc/all.yaml"};
  const auto topology = Topology::from_json(with.dump(), "/labs/a/net.json");
  EXPECT_THAT(topology.clusters.at(0).manifests, ElementsAre("/labs/a/web.yaml", "/labs/shop.yaml", "/etc/all.yaml"));
}

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
