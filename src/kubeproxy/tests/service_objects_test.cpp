// What is read of Services and slices, who of their endpoints answers, and how a table of many is kept.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/kubeproxy/program.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {
namespace {

using nlohmann::json;
using testing::IsEmpty;

const Complain kNoComplaint = [](const std::string& object, const std::string& why) {
  ADD_FAILURE() << object << ": " << why;
};

TEST(ServiceEndpoints, OneThatTwoSlicesHoldCountsOnceAndIsReadyIfOneSaysSo) {
  const auto at = [](bool ready) { return Backend{.address = parse_address("10.2.0.1"), .port = 80, .ready = ready}; };
  const std::vector<Backend> backends{at(false), at(true), at(false)};
  const auto chosen = choose(backends, false, {.name = "here"});
  ASSERT_EQ(chosen.cluster.size(), 1U);
  EXPECT_TRUE(chosen.cluster[0]->ready);
  EXPECT_THAT(choose({at(true), at(true)}, false, {.name = "here"}).cluster, testing::SizeIs(1));
}

TEST(ServiceObjects, NumbersWithLeadingZerosAreDecimal) {
  const json object{{"metadata", {{"namespace", "a"}, {"name", "b"}}},
                    {"spec", {{"clusterIP", "010.096.000.001"}, {"ports", {{{"port", 80}}}}}}};
  EXPECT_EQ(read_service(object, kNoComplaint).value().cluster_ips, std::vector{parse_address("10.96.0.1")});
}

TEST(ServiceObjects, NonsenseIsToldOfAndTheRestIsServed) {
  std::vector<std::string> told;
  const Complain collect = [&](const std::string& object, const std::string& why) {
    told.push_back(object + ": " + why);
  };
  const json object{{"metadata", {{"namespace", "a"}, {"name", "b"}}},
                    {"spec",
                     {{"type", "LoadBalancer"},
                      {"clusterIPs", {"10.96.0.1"}},
                      {"externalIPs", {"x", 7}},
                      {"loadBalancerSourceRanges", {"10.0.0.0/99"}},
                      {"ports", {{{"port", 70'000}}, {{"port", 80}, {"protocol", "DCCP"}}, {{"port", 81}}}}}}};
  const auto spec = read_service(object, collect);
  ASSERT_TRUE(spec);
  ASSERT_EQ(spec->ports.size(), 1U);
  EXPECT_EQ(spec->ports[0].port, 81);
  EXPECT_EQ(told.size(), 4U);
  for (const auto& nonsense : {json(), json(3), json::array(), json{{"metadata", 1}, {"spec", 2}}}) {
    EXPECT_FALSE(read_service(nonsense, collect));
    Backends backends;
    add_slice(backends, nonsense, collect);
    EXPECT_THAT(backends, IsEmpty());
  }
  Backends backends;
  add_slice(backends,
            {{"addressType", "IPv4"},
             {"ports", {{{"port", 80}}}},
             {"endpoints", {{{"addresses", {"fd00::1"}}}, {{"addresses", {"10.2.0.1"}}}, {{"addresses", "x"}}, 5}}},
            collect);
  EXPECT_EQ(backends.begin()->second.size(), 1U);
}

TEST(ServicesProgram, ANameThatIsTooLongForACommentIsCutShort) {
  const NetNs netns = NetNs::create();
  const ServiceSpec spec{.key = std::string(63, 'n') + "/" + std::string(63, 's'),
                         .cluster_ips = {parse_address("10.96.0.1")},
                         .ports = {{.name = std::string(63, 'p'), .port = 80}}};
  Program program(netns, services_layout(nft::Family::ip, {.name = "here"}));
  program.ledger().set(spec.key, service_entries(spec, {}, {.name = "here"}, nft::Family::ip, kNoComplaint));
  program.write();
  EXPECT_EQ(nft::list_elements(netns, {{nft::Family::ip, kTableName}, "no-endpoints"}).at(0).comment,
            spec.key.substr(0, 124) + "...");
}

TEST(ServicesProgram, OfTwoThousandServicesOneChangesAtATime) {
  const NetNs netns = NetNs::create();
  const NodeFacts node{.name = "here", .pod_networks = {parse_network("11.0.0.0/8")}};
  Program program(netns, services_layout(nft::Family::ip, node));
  const auto want = [&](std::uint32_t number, std::uint32_t endpoints) {
    const ServiceSpec spec{.key = fmt::format("shop/service-{}", number),
                           .cluster_ips = {advance(parse_address("10.96.0.1"), number)},
                           .ports = {{.port = 80}}};
    Backends backends;
    for (std::uint32_t i = 0; i < endpoints; ++i)
      backends[{"", nft::L4Proto::tcp}].push_back(
          {.address = advance(parse_address("11.0.0.1"), 3 * number + i), .port = 8080});
    program.ledger().set(spec.key, service_entries(spec, backends, node, nft::Family::ip, kNoComplaint));
  };
  constexpr std::uint32_t kServices = 2'000;
  for (std::uint32_t i = 0; i < kServices; ++i) want(i, 3);
  program.write();
  const nft::SetId endpoints{{nft::Family::ip, kTableName}, "endpoints"};
  EXPECT_EQ(nft::list_elements(netns, endpoints).size(), 3 * kServices);
  for (std::uint32_t i = 0; i < kServices; i += 10) {
    want(i, 2);
    const auto written = program.write();
    EXPECT_EQ(written.batches, 1U);
    // Its turn and its hairpin; the service's balancer, before and after; the first makes that balancer.
    EXPECT_EQ(written.entries, i == 0 ? 5U : 4U);
  }
  EXPECT_EQ(nft::list_elements(netns, endpoints).size(), 3 * kServices - kServices / 10);
  program.doubt();
  EXPECT_EQ(program.write().batches, 0U);
}

}  // namespace
}  // namespace knetsim::kubeproxy
