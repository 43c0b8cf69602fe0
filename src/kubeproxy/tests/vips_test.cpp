// A virtual address serves every protocol, by exact turns, from both hooks, for as long as it is applied.
#include "knetsim/kubeproxy/vips.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubeproxy {
namespace {

using lab::Hit;
using lab::Lab;
using lab::listing;
using lab::Protocol;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::array kProtocols{Protocol::icmp, Protocol::udp, Protocol::tcp};

struct VipsTest : testing::TestWithParam<bool> {
  bool v6 = GetParam();
  Lab lab{3};
  VipProxy proxy{lab.router()};
  Address vip = address(1);

  Address address(int index) const {
    return parse_address(v6 ? fmt::format("fd64::{}", index) : fmt::format("100.64.10.{}", index));
  }
  Vip service(const Address& virtual_address, const std::vector<int>& servers) const {
    Vip made{.address = virtual_address, .endpoints = {}};
    for (const int server : servers) made.endpoints.push_back({Lab::server_address(server, v6)});
    return made;
  }
  std::vector<int> flows(const NetNs& from, Protocol protocol, const Address& target, int count) {
    std::vector<int> servers;
    for (int i = 0; i < count; ++i) {
      const std::optional<Hit> hit = lab.flow(from, protocol, target);
      servers.push_back(hit ? hit->server : -1);
    }
    return servers;
  }
  std::string table() const { return v6 ? "table ip6 knetsim-vips" : "table ip knetsim-vips"; }
  std::size_t tables() const { return nft::list_tables(lab.router()).size(); }
};

TEST_P(VipsTest, EveryProtocolTakesExactTurns) {
  for (const Protocol protocol : kProtocols) {
    VipProxy fresh(lab.router());
    fresh.apply({service(vip, {1, 2})});
    EXPECT_THAT(flows(lab.client(), protocol, vip, 5), ElementsAre(1, 2, 1, 2, 1));
  }
}

TEST_P(VipsTest, TurnsCountFlowsOfAllProtocolsTogether) {
  proxy.apply({service(vip, {0, 1, 2})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 2), ElementsAre(0, 1));
  EXPECT_THAT(flows(lab.client(), Protocol::udp, vip, 2), ElementsAre(2, 0));
  EXPECT_THAT(flows(lab.client(), Protocol::tcp, vip, 2), ElementsAre(1, 2));
}

TEST_P(VipsTest, TheNodeItselfIsServedWithTurnsOfItsOwn) {
  proxy.apply({service(vip, {0, 1})});
  for (const Protocol protocol : kProtocols) {
    EXPECT_THAT(flows(lab.router(), protocol, vip, 2), ElementsAre(0, 1));
  }
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(0));
  EXPECT_THAT(flows(lab.router(), Protocol::icmp, vip, 1), ElementsAre(0));
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1));
}

TEST_P(VipsTest, EachVipHasTurnsOfItsOwn) {
  proxy.apply({service(vip, {0, 1}), service(address(2), {0, 1})});
  EXPECT_THAT(flows(lab.client(), Protocol::udp, vip, 1), ElementsAre(0));
  EXPECT_THAT(flows(lab.client(), Protocol::udp, address(2), 2), ElementsAre(0, 1));
  EXPECT_THAT(flows(lab.client(), Protocol::udp, vip, 1), ElementsAre(1));
}

TEST_P(VipsTest, CountersRiseByOneForEachFlowOfTheirHook) {
  proxy.apply({service(vip, {0, 1})});
  EXPECT_EQ(proxy.counters(vip).prerouting, nft::Counter{});
  flows(lab.client(), Protocol::udp, vip, 3);
  flows(lab.router(), Protocol::icmp, vip, 2);
  const VipCounters counters = proxy.counters(vip);
  EXPECT_EQ(counters.prerouting.packets, 3U);
  EXPECT_GT(counters.prerouting.bytes, 0U);
  EXPECT_EQ(counters.output.packets, 2U);
  EXPECT_THAT(listing(lab.router()),
              AllOf(HasSubstr(fmt::format("counter packets 3 bytes {} meta mark set numgen inc mod 2",
                                          counters.prerouting.bytes)),
                    HasSubstr(". meta mark map @turns")));
}

TEST_P(VipsTest, AReplacedVipStartsAnewAndTheOthersGoOn) {
  proxy.apply({service(vip, {0, 1, 2}), service(address(2), {0, 1})});
  flows(lab.client(), Protocol::icmp, vip, 2);
  flows(lab.client(), Protocol::icmp, address(2), 1);
  proxy.apply({service(vip, {2, 1}), service(address(2), {0, 1})});
  EXPECT_EQ(proxy.counters(vip).prerouting.packets, 0U);
  EXPECT_EQ(proxy.counters(address(2)).prerouting.packets, 1U);
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 3), ElementsAre(2, 1, 2));
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, address(2), 1), ElementsAre(1));
  proxy.apply({service(vip, {1, 2}), service(address(2), {0, 1})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1)) << "as many, in another order";
  auto again = service(vip, {1, 2});
  ++again.revision;
  proxy.apply({again, service(address(2), {0, 1})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1)) << "another revision";
}

TEST_P(VipsTest, TheSameServicesAgainChangeNothing) {
  proxy.apply({service(vip, {0, 1})});
  flows(lab.client(), Protocol::icmp, vip, 1);
  const std::string before = listing(lab.router());
  proxy.apply({service(vip, {0, 1})});
  EXPECT_EQ(listing(lab.router()), before);
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1));
}

TEST_P(VipsTest, ARemovedVipLeavesNoRuleAndNoElement) {
  const std::string empty = [&] {
    VipProxy first(lab.router());
    first.apply({service(vip, {0})});
    first.apply({});
    return listing(lab.router());
  }();
  EXPECT_THAT(empty, Not(HasSubstr(vip.to_string())));
  EXPECT_THAT(empty, Not(HasSubstr(Lab::server_address(0, v6).to_string())));
  proxy.apply({service(vip, {0, 1}), service(address(2), {1, 2})});
  EXPECT_THAT(flows(lab.client(), Protocol::tcp, address(2), 1), ElementsAre(1));
  proxy.apply({service(address(2), {1, 2})});
  EXPECT_THAT(listing(lab.router()), Not(HasSubstr(vip.to_string() + " ")));
  EXPECT_THAT(flows(lab.client(), Protocol::tcp, address(2), 2), ElementsAre(2, 1)) << "the other one's turns go on";
  proxy.apply({});
  EXPECT_EQ(listing(lab.router()), empty);

  // What isn't translated still has its virtual address after the proxy's chain.
  const nft::Family family = v6 ? nft::Family::ip6 : nft::Family::ip;
  const nft::ChainId later{nft::TableId{family, "untranslated"}, "later"};
  nft::Batch batch;
  batch.add(nft::Table{.id = later.table});
  batch.add(nft::Chain{.id = later, .hook = nft::Hook{.point = nft::HookPoint::prerouting}});
  batch.add(nft::Rule{.chain = later, .statements = {nft::daddr_of(family) == address(2), nft::reject()}});
  batch.commit(lab.router());
  EXPECT_EQ(lab.flow(lab.client(), Protocol::udp, address(2)), std::nullopt);
}

TEST_P(VipsTest, AnEndpointThatReachesItselfIsMasqueraded) {
  proxy.apply({service(vip, {0, 1})});
  for (const Protocol protocol : kProtocols) {
    EXPECT_EQ(lab.flow(lab.server(0), protocol, vip), (Hit{0, Lab::router_address_at(0, v6)}));
    EXPECT_EQ(lab.flow(lab.server(0), protocol, vip), (Hit{1, Lab::server_address(0, v6)}));
  }
}

TEST_P(VipsTest, TheClientsAddressIsKeptUnlessItIsOutsideThePodNetwork) {
  proxy.apply({service(vip, {1})});
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, vip), (Hit{1, Lab::client_address(v6)}));

  const Network pods = parse_network(v6 ? "fd02::/16" : "10.2.0.0/16");
  VipProxy of_pods(lab.router(), {.pod_networks = {pods}});
  of_pods.apply({service(vip, {1})});
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, vip), (Hit{1, Lab::router_address_at(1, v6)}));
  EXPECT_EQ(lab.flow(lab.server(0), Protocol::tcp, vip), (Hit{1, Lab::server_address(0, v6)}));
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(1, v6)), (Hit{1, Lab::client_address(v6)}))
      << "only what was sent to a VIP is masqueraded";
  EXPECT_EQ(lab.flow(lab.router(), Protocol::tcp, vip), (Hit{1, Lab::router_address_at(1, v6)}));
}

TEST_P(VipsTest, ASecondProxyTakesOverWhatAnEarlierOneLeft) {
  {
    VipProxy earlier(lab.router());
    earlier.apply({service(vip, {0}), service(address(2), {0})});
  }
  proxy.apply({service(vip, {1, 2})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 2), ElementsAre(1, 2));
  EXPECT_THAT(listing(lab.router()), Not(HasSubstr(address(2).to_string() + " ")));
}

TEST_P(VipsTest, AChangeThatTheKernelRefusesIsWrittenAfterALook) {
  proxy.apply({service(vip, {0, 1}), service(address(2), {0})});
  lab::nft(lab.router(), {"flush", "ruleset"});
  proxy.apply({service(vip, {1, 2}), service(address(2), {0})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 2), ElementsAre(1, 2));
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, address(2), 1), ElementsAre(0));

  // Somebody took one rule away.
  const nft::TableId held{v6 ? nft::Family::ip6 : nft::Family::ip, kVipTableName};
  nft::Batch batch;
  const nft::ChainId output{held, "output"};
  batch.remove(nft::list_rules(lab.router(), output).at(0).id);
  batch.commit(lab.router());
  proxy.restore();
  proxy.apply({service(vip, {2})});
  EXPECT_THAT(flows(lab.router(), Protocol::icmp, vip, 1), ElementsAre(2));
}

TEST_P(VipsTest, WhatWasTakenAwayIsRestoredAndNothingElseIsTouched) {
  proxy.apply({service(vip, {0, 1})});
  const std::string whole = listing(lab.router());
  const std::string name = table().substr(6);
  const std::vector<std::string> takings{
      "flush ruleset",
      "delete table " + name,
      "flush chain " + name + " output",
      "flush chain " + name + " postrouting",
      fmt::format("delete element {} vips {{ {} }}", name, vip.to_string()),
      fmt::format("delete element {0} vips {{ {1} }}\nadd element {0} vips {{ {2} }}", name, vip.to_string(),
                  address(2).to_string())};
  for (const std::string& taken : takings) {
    lab::nft(lab.router(), {"-f", "-"}, taken);
    ASSERT_NE(listing(lab.router()), whole) << taken;
    proxy.restore();
    EXPECT_EQ(listing(lab.router()), whole) << taken;
  }
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(0));
  proxy.restore();
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1)) << "the turns of a whole table go on";
}

TEST_P(VipsTest, InvalidServicesChangeNothing) {
  proxy.apply({service(vip, {0, 1})});
  const std::string before = listing(lab.router());
  EXPECT_THROW(proxy.apply({service(address(2), {0}), service(vip, {1}), service(vip, {2})}), InputError);
  EXPECT_EQ(listing(lab.router()), before);
  EXPECT_EQ(proxy.services(), std::vector{service(vip, {0, 1})});
}

TEST_P(VipsTest, AChangeThatCantBeWrittenIsNotWrittenLater) {
  proxy.apply({service(vip, {0, 1})});
  const auto other = v6 ? Vip{.address = parse_address("100.64.10.1"), .endpoints = {{Lab::server_address(0)}}}
                        : Vip{.address = parse_address("fd64::1"), .endpoints = {{Lab::server_address(0, true)}}};
  {
    // The other family takes another connection to the kernel, and this process can open nothing.
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{0, limit.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    EXPECT_THROW(proxy.apply({service(vip, {0, 1}), other}), Error);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  EXPECT_EQ(proxy.services(), std::vector{service(vip, {0, 1})});
  proxy.apply({service(vip, {0, 1})});
  EXPECT_THAT(listing(lab.router()), Not(HasSubstr(other.address.to_string())));
  proxy.apply({service(vip, {0, 1}), other});
  EXPECT_THAT(listing(lab.router()), HasSubstr(other.address.to_string()));
}

TEST_P(VipsTest, ClearRemovesTheTablesAndMayBeCalledTwice) {
  proxy.clear();
  EXPECT_EQ(tables(), 0U);
  proxy.apply({service(vip, {0})});
  EXPECT_EQ(tables(), 1U);
  EXPECT_THAT(listing(lab.router()), HasSubstr(table()));
  proxy.clear();
  proxy.clear();
  EXPECT_EQ(tables(), 0U);
  proxy.apply({service(vip, {1})});
  EXPECT_THAT(flows(lab.client(), Protocol::icmp, vip, 1), ElementsAre(1));
}

TEST_P(VipsTest, CountersOfAnAddressThatIsntServedAreAnError) {
  try {
    (void)proxy.counters(vip);
    FAIL() << "no error";
  } catch (const nft::Error& error) {
    EXPECT_EQ(error.error(), ENOENT);
    EXPECT_THAT(error.what(), HasSubstr(vip.to_string()));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, VipsTest, testing::Values(false, true),
                         [](const auto& parameter) { return parameter.param ? "ip6" : "ip"; });

}  // namespace
}  // namespace knetsim::kubeproxy
