// What the clusters' routers are to do: read from a topology, refused if it can't be, and turned into sites.
#include "../site_plan.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Three clusters in line, C2 -> C1 -> C0, and one apart; each row of the table below breaks one thing in it.
const json kGoodSites = json::parse(R"({
  "underlay": {"network": "10.0.0.0/8", "switches": [{"name": "t0"}]},
  "clusters": [
    {"name": "C0", "switch": "t0",
     "workers": [{"name": "C0w1", "address": "10.0.0.3", "podSubnet": "11.13.0.0/20"}],
     "containers": [{"name": "c1", "worker": "C0w1", "command": ["python3", "-m", "http.server", "80"]},
                    {"name": "c2", "worker": "C0w1"}],
     "skupper": {"flavour": "builtin", "services": [
       {"name": "svc1", "container": "c1", "port": 80, "listenPort": 1028},
       {"name": "svc1", "container": "c2", "port": 8080, "listenPort": 1028}]}},
    {"name": "C1", "switch": "t0", "workers": [{"name": "C1w1", "address": "10.0.0.8"}],
     "skupper": {"links": [{"cluster": "C0", "cost": 3}]}},
    {"name": "C2", "switch": "t0",
     "workers": [{"name": "C2w1", "address": "10.0.0.9", "podSubnet": "11.14.0.0/20"}],
     "containers": [{"name": "c1", "worker": "C2w1"}],
     "skupper": {"links": [{"cluster": "C1"}],
                 "services": [{"name": "svc2", "container": "c1", "port": 81, "listenPort": 1029}]}},
    {"name": "C3", "switch": "t0", "workers": [{"name": "C3w1", "address": "10.0.0.10"}], "skupper": {}},
    {"name": "C4", "switch": "t0", "workers": [{"name": "C4w1", "address": "10.0.0.11"}]}
  ]
})");

std::vector<SitePlan> good_plans() { return site_plans(Topology::from_json(kGoodSites.dump(), "good.json")); }

const SiteAddresses kAddresses{
    .router = [](std::size_t cluster) { return advance(parse_address("10.0.0.0"), cluster); },
    .container = [](std::size_t, const std::string& name) { return parse_address("11.0.0." + name.substr(1)); },
    .node = [](std::size_t cluster) { return std::vector{advance(parse_address("10.0.0.0"), cluster)}; }};

TEST(SitePlan, IsReadFromATopology) {
  const auto topology = Topology::from_json(kGoodSites.dump(), "good.json");
  EXPECT_THAT(topology.clusters[0].containers[0].command, ElementsAre("python3", "-m", "http.server", "80"));
  EXPECT_EQ(topology.clusters[0].skupper->flavour, parts::Flavour::builtin);
  EXPECT_EQ(topology.clusters[0].skupper->services[1].port, 8080);
  EXPECT_EQ(topology.clusters[0].skupper->services[1].listen_port, 1028);
  EXPECT_EQ(topology.clusters[1].skupper->links[0].cluster, "C0");
  EXPECT_EQ(topology.clusters[1].skupper->links[0].cost, 3U);
  EXPECT_EQ(topology.clusters[4].skupper, std::nullopt);
}

TEST(SitePlan, AHomeConnectsToTheContainersThatServe) {
  const auto site = site_of(good_plans(), 0, kAddresses);
  EXPECT_EQ(site.id, "0");
  EXPECT_THAT(site.remotes, IsEmpty());
  ASSERT_EQ(site.local_services.size(), 2U);
  EXPECT_EQ(site.local_services[0].name, "svc1");
  EXPECT_EQ(site.local_services[0].host, "11.0.0.1");
  EXPECT_EQ(site.local_services[0].port, 80);
  EXPECT_EQ(site.local_services[1].name, "svc1-c2");
  EXPECT_EQ(site.local_services[1].address, "svc1");
  EXPECT_EQ(site.local_services[1].port, 8080);
  ASSERT_EQ(site.remote_services.size(), 1U);
  EXPECT_EQ(site.remote_services[0].address, "svc2");
}

TEST(SitePlan, OthersConnectToTheirRemotesAndListenOnceForEachService) {
  const auto site = site_of(good_plans(), 1, kAddresses);
  ASSERT_EQ(site.remotes.size(), 1U);
  EXPECT_EQ(site.remotes[0].id, "0");
  EXPECT_EQ(site.remotes[0].host, "10.0.0.0");
  EXPECT_EQ(site.remotes[0].cost, 3U);
  EXPECT_THAT(site.local_services, IsEmpty());
  ASSERT_EQ(site.remote_services.size(), 2U);
  EXPECT_EQ(site.remote_services[0].address, "svc1");
  EXPECT_EQ(site.remote_services[0].listen_port, 1028);
}

TEST(SitePlan, ServicesAreOfferedInEveryFamilyOfTheNode) {
  const auto hosts_of = [](const std::vector<const char*>& node) {
    auto addresses = kAddresses;
    addresses.node = [&](std::size_t) {
      std::vector<Address> parsed;
      for (const auto* address : node) parsed.push_back(parse_address(address));
      return parsed;
    };
    std::vector<std::string> hosts;
    for (const auto& service : site_of(good_plans(), 0, addresses).remote_services) hosts.push_back(service.host);
    return hosts;
  };
  EXPECT_THAT(hosts_of({"10.0.0.3"}), ElementsAre(""));
  EXPECT_THAT(hosts_of({"fd00::3"}), ElementsAre("::"));
  EXPECT_THAT(hosts_of({"fd00::3", "10.0.0.3"}), ElementsAre("", "::"));
}

TEST(SitePlan, OnlyServicesOfJoinedClustersAreOffered) {
  const auto plans = good_plans();
  EXPECT_THAT(offered_ports(plans, 0), ElementsAre(1029));
  EXPECT_THAT(offered_ports(plans, 1), ElementsAre(1028, 1029));
  EXPECT_THAT(offered_ports(plans, 2), ElementsAre(1028));
  EXPECT_THAT(offered_ports(plans, 3), IsEmpty());
}

TEST(SitePlan, StartsWithThoseThatOthersConnectTo) {
  EXPECT_THAT(start_order(good_plans()), ElementsAre(0, 1, 2, 3));
  auto plans = good_plans();
  plans[0].skupper->links = {{.cluster = "C2"}};
  plans[1].skupper->links.clear();
  EXPECT_THAT(start_order(plans), ElementsAre(1, 2, 0, 3));
  plans[1].skupper->links = {{.cluster = "C0"}};
  EXPECT_THAT(start_order(plans), ElementsAre(1, 2, 0, 3)) << "a ring has no first one";
}

TEST(SitePlan, ALinkIsTheShortestWayWhereNoOtherCostsAsLittle) {
  struct Case {
    std::uint32_t direct;  // C2 - C0, beside C2 - C1 at 1 and C1 - C0 at 3
    bool shortest;
  };
  for (const auto& [direct, shortest] : {Case{1, true}, Case{3, true}, Case{4, false}, Case{5, false}}) {
    auto plans = good_plans();
    plans[2].skupper->links.push_back({.cluster = "C0", .cost = direct});
    EXPECT_EQ(is_shortest_way(plans, 2, 0), shortest) << direct;
    EXPECT_EQ(is_shortest_way(plans, 0, 2), shortest) << direct << ", the other way";
  }
  auto plans = good_plans();
  EXPECT_TRUE(is_shortest_way(plans, 1, 0)) << "it is the only one";
  EXPECT_FALSE(is_shortest_way(plans, 2, 0)) << "there is no link";
  EXPECT_FALSE(is_shortest_way(plans, 0, 3)) << "there is no way";
  // Two routers that connect to each other: the cheaper of the two counts.
  plans[2].skupper->links.push_back({.cluster = "C0", .cost = 9});
  plans[0].skupper->links.push_back({.cluster = "C2", .cost = 2});
  EXPECT_TRUE(is_shortest_way(plans, 2, 0));
}

struct BadPlan {
  const char* what;     // names the test
  const char* pointer;  // where kGoodSites is changed
  const char* value;    // to what, as JSON
  const char* problem;  // the place and the words
};

void PrintTo(const BadPlan& input, std::ostream* out) { *out << input.what; }

class BadSitePlan : public testing::TestWithParam<BadPlan> {};

TEST_P(BadSitePlan, IsRefusedWithFilePlaceValueAndRemedy) {
  auto bad = kGoodSites;
  bad[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  try {
    Topology::from_json(bad.dump(), "bad.json");
    FAIL() << "it was accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("bad.json:1: "), HasSubstr(GetParam().problem), HasSubstr("remedy: ")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , BadSitePlan,
    testing::Values(
        BadPlan{"UnknownMember", "/clusters/0/skupper/service", "[]", "/clusters/0/skupper/service: []: unknown key"},
        BadPlan{"UnknownFlavour", "/clusters/0/skupper/flavour", "\"fast\"", "no such choice"},
        BadPlan{"EmptyCommand", "/clusters/0/containers/0/command", "[\"\"]",
                "/clusters/0/containers/0/command: \"\": a program needs a name"},
        BadPlan{"UnknownCluster", "/clusters/1/skupper/links/0/cluster", "\"C9\"",
                "/clusters/1/skupper/links/0/cluster: \"C9\": there is no cluster of that name"},
        BadPlan{"ItsOwnCluster", "/clusters/1/skupper/links/0/cluster", "\"C1\"", "isn't linked with itself"},
        BadPlan{"ClusterWithoutARouter", "/clusters/1/skupper/links/0/cluster", "\"C4\"",
                "that cluster has no router to connect to"},
        BadPlan{"LinkTwice", "/clusters/1/skupper/links", R"([{"cluster": "C0"}, {"cluster": "C0"}])",
                "/clusters/1/skupper/links/1/cluster: \"C0\": the link stands twice"},
        BadPlan{"CostZero", "/clusters/1/skupper/links/0/cost", "0", "/clusters/1/skupper/links/0/cost: 0: out of"},
        BadPlan{"NoName", "/clusters/2/skupper/services/0/name", "\"\"", "a service needs a name"},
        BadPlan{"NameWithABlank", "/clusters/2/skupper/services/0/name", "\"a b\"", "has blanks"},
        BadPlan{"UnknownContainer", "/clusters/2/skupper/services/0/container", "\"c9\"",
                "/clusters/2/skupper/services/0/container: \"c9\": the cluster has no container of that name"},
        BadPlan{"PortZero", "/clusters/2/skupper/services/0/port", "0",
                "/clusters/2/skupper/services/0/port: 0: out of"},
        BadPlan{"PortOfTheRouter", "/clusters/2/skupper/services/0/listenPort", "55671",
                "\"55671\": the router listens there itself"},
        BadPlan{"PortOfAnotherService", "/clusters/2/skupper/services/0/listenPort", "1028",
                "/clusters/2/skupper/services/0/listenPort: \"1028\": the port is svc1's already"},
        BadPlan{"TwoPortsOfAService", "/clusters/0/skupper/services/1/listenPort", "1030",
                "/clusters/0/skupper/services/1/listenPort: \"1030\": svc1 is offered on port 1028 already"},
        BadPlan{"ServiceTwice", "/clusters/0/skupper/services/1/container", "\"c1\"",
                "/clusters/0/skupper/services/1/container: \"c1\": serves svc1 already"},
        BadPlan{"NoWorker", "/clusters/3/workers", "[]", "/clusters/3/skupper: \"C3\": a router needs a worker"}),
    [](const auto& row) { return row.param.what; });

}  // namespace
}  // namespace knetsim
