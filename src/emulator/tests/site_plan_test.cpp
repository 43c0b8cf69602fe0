// What the clusters' routers are to do: read from a topology, refused if it can't be, and turned into sites.
#include "../site_plan.h"

#include <gmock/gmock.h>

#include "good_topologies.h"
#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

}  // namespace
}  // namespace knetsim
