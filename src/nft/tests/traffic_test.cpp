// Rules do to real packets what they say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "demo_table.h"
#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"

namespace knetsim::nft {
namespace {

using lab::Hit;
using lab::Lab;
using lab::Protocol;
using testing::ElementsAre;

const ChainId kPrerouting{kTable, "prerouting"};
const ChainId kForward{kTable, "forward"};
const Address kVip = parse_address("100.64.10.1");

Batch with_chains() {
  Batch batch;
  batch.add(Table{.id = kTable});
  batch.add(Chain{.id = kPrerouting,
                  .hook = Hook{.type = ChainType::nat, .point = HookPoint::prerouting, .priority = priority::kDstNat}});
  batch.add(Chain{.id = kForward, .hook = Hook{.type = ChainType::filter, .point = HookPoint::forward}});
  return batch;
}

int server_of(const std::optional<Hit>& hit) { return hit ? hit->server : -1; }

std::vector<int> servers_of_flows(Lab& lab, Protocol protocol, const Address& target, int count) {
  std::vector<int> servers;
  for (int i = 0; i < count; ++i) servers.push_back(server_of(lab.flow(lab.client(), protocol, target)));
  return servers;
}

TEST(Traffic, NumgenIncTakesExactTurnsOnePerFlow) {
  Lab lab(3);
  Batch batch = with_chains();
  batch.add(Rule{.chain = kPrerouting,
                 .statements = {ip::daddr() == kVip, counter(),
                                dnat(lookup(numgen::inc(3), {{Data::integer(0), Lab::server_address(0)},
                                                             {Data::integer(1), Lab::server_address(1)},
                                                             {Data::integer(2), Lab::server_address(2)}}))}});
  batch.commit(lab.router());
  EXPECT_THAT(servers_of_flows(lab, Protocol::icmp, kVip, 4), ElementsAre(0, 1, 2, 0));
  EXPECT_THAT(servers_of_flows(lab, Protocol::udp, kVip, 4), ElementsAre(1, 2, 0, 1));
  EXPECT_THAT(servers_of_flows(lab, Protocol::tcp, kVip, 4), ElementsAre(2, 0, 1, 2));
  EXPECT_EQ(list_rules(lab.router(), kPrerouting).at(0).counter->packets, 12U);
}

TEST(Traffic, RejectsAreSeenAtOnceByTheClient) {
  Lab lab(1);
  Batch batch = with_chains();
  batch.add(Rule{.chain = kForward,
                 .statements = {meta::l4proto() == L4Proto::tcp, th::dport() == Data::port(81), counter(), reject()}});
  batch.add(Rule{.chain = kForward, .statements = {udp::dport() == Data::port(81), counter(), reject()}});
  batch.commit(lab.router());
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(0), 81), std::nullopt);
  EXPECT_EQ(lab.flow(lab.client(), Protocol::udp, Lab::server_address(0), 81), std::nullopt);
  EXPECT_EQ(server_of(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(0))), 0);
  const std::vector<RuleInfo> rules = list_rules(lab.router(), kForward);
  EXPECT_EQ(rules.at(0).counter->packets, 1U);
  EXPECT_EQ(rules.at(1).counter->packets, 1U);
}

TEST(Traffic, MarksPrefixesMembershipAndVerdictMapsDecideTogether) {
  Lab lab(1);
  Batch batch = with_chains();
  const Set clients{.id = {kTable, "clients"}, .key = {Type::ipv4_addr, Type::inet_proto}};
  batch.add(clients).add(clients.id, {{.key = Data::concat({Lab::client_address(), L4Proto::udp})}});
  batch.add(Chain{.id = {kTable, "marked"}});
  const auto count = [&](const char* comment, const ChainId& chain, std::vector<Statement> statements) {
    statements.push_back(counter());
    batch.add(Rule{.chain = chain, .statements = std::move(statements), .comment = comment});
  };
  batch.add(Rule{
      .chain = kForward,
      .statements = {in(concat({ip::saddr(), meta::l4proto()}), clients), set_mark((meta::mark() & 0xffff) | 0x4000)}});
  count("prefix of 20 bits", kForward, {ip::saddr() == parse_network("10.1.0.0/20")});
  count("another prefix", kForward, {ip::saddr() == parse_network("10.1.16.0/20")});
  count("whole bytes", kForward, {ip::saddr() == parse_network("10.1.0.0/16")});
  count("not the prefix", kForward, {ip::saddr() != parse_network("10.1.0.0/20")});
  count("from the client's link", kForward, {meta::iifname() == Data::ifname("client")});
  count("new flow", kForward, {any_of({CtState::new_})});
  batch.add(Rule{.chain = kForward,
                 .statements = {vmap(meta::mark() & 0x4000, {{Data::mark(0x4000), {Verdict::Kind::jump, "marked"}}})}});
  count("came back", kForward, {(meta::mark() & 0x4000) == Data::mark(0x4000)});
  count("marked", {kTable, "marked"}, {});
  batch.commit(lab.router());
  ASSERT_EQ(server_of(lab.flow(lab.client(), Protocol::udp, Lab::server_address(0))), 0);

  std::map<std::string, std::uint64_t> packets;
  for (const RuleInfo& rule : list_rules(lab.router(), kTable)) {
    if (rule.counter) packets[rule.comment] = rule.counter->packets;
  }
  const std::map<std::string, std::uint64_t> expected{
      {"prefix of 20 bits", 1},      {"another prefix", 0}, {"whole bytes", 1}, {"not the prefix", 1},
      {"from the client's link", 1}, {"new flow", 1},       {"came back", 1},   {"marked", 1}};
  EXPECT_EQ(packets, expected);
}

TEST(Traffic, SnatAndMasqueradeHideTheClient) {
  Lab lab(2);
  Batch batch = with_chains();
  const ChainId post{kTable, "postrouting"};
  batch.add(
      Chain{.id = post,
            .hook = Hook{.type = ChainType::nat, .point = HookPoint::postrouting, .priority = priority::kSrcNat}});
  batch.add(Rule{.chain = post, .statements = {meta::oifname() == Data::ifname("server0"), masquerade()}});
  batch.add(
      Rule{.chain = post, .statements = {meta::oifname() == Data::ifname("server1"), snat(Lab::router_address())}});
  batch.commit(lab.router());
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(0)), (Hit{0, Lab::router_address_at(0)}));
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(1)), (Hit{1, Lab::router_address()}));
}

TEST(Traffic, OneInetTableServesBothFamilies) {
  Lab lab(2);
  const TableId table{Family::inet, "both"};
  const ChainId chain{table, "prerouting"};
  const Address vip6 = parse_address("fd64::1");
  Batch batch;
  batch.add(Table{.id = table});
  batch.add(Chain{.id = chain,
                  .hook = Hook{.type = ChainType::nat, .point = HookPoint::prerouting, .priority = priority::kDstNat}});
  batch.add(Rule{.chain = chain, .statements = {ip::daddr() == kVip, dnat(Lab::server_address(0))}});
  batch.add(Rule{.chain = chain,
                 .statements = {ip6::daddr() == vip6, tcp::dport() == Data::port(80),
                                dnat({Lab::server_address(1, true), Lab::kPort})}});
  batch.commit(lab.router());
  EXPECT_EQ(server_of(lab.flow(lab.client(), Protocol::icmp, kVip)), 0);
  EXPECT_EQ(server_of(lab.flow(lab.client(), Protocol::tcp, vip6, 80)), 1);
}

TEST(Traffic, ADynamicSetRemembersClientsForItsTimeout) {
  Lab lab(1);
  Batch batch = with_chains();
  const Set seen{.id = {kTable, "seen"}, .key = {Type::ipv4_addr}, .dynamic = true, .timeout = std::chrono::hours(1)};
  batch.add(seen).add(Rule{.chain = kForward, .statements = {update(seen, ip::saddr(), std::chrono::minutes(5))}});
  batch.commit(lab.router());
  ASSERT_EQ(server_of(lab.flow(lab.client(), Protocol::icmp, Lab::server_address(0))), 0);
  std::set<std::string> keys;
  for (const Element& element : list_elements(lab.router(), seen.id)) {
    keys.insert(element.key.to_string());
    ASSERT_TRUE(element.expires);
    EXPECT_LE(*element.expires, std::chrono::minutes(5));
    EXPECT_GT(*element.expires, std::chrono::minutes(4));
  }
  EXPECT_THAT(keys, ElementsAre("10.1.0.2", "10.2.0.2"));  // the reply passes the chain too
}

}  // namespace
}  // namespace knetsim::nft
