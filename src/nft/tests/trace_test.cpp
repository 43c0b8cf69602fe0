// What rules do to a packet is told, event by event.
#include "knetsim/nft/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/fixtures/packet_lab.h"
#include "knetsim/nft/batch.h"
#include "knetsim/nft/ruleset.h"

namespace knetsim::nft {
namespace {

using lab::Lab;
using lab::Protocol;

const TableId kTraced{Family::inet, "traced"};

/// TCP segments with SYN or RST are traced from prerouting on; `then` is what the forward chain does.
void trace_in(const NetNs& netns, std::vector<Statement> then) {
  Batch batch;
  batch.add(Table{.id = kTraced});
  batch.add(Chain{.id = {kTraced, "early"}, .hook = Hook{.point = HookPoint::prerouting, .priority = -350}});
  batch.add(Rule{
      .chain = {kTraced, "early"},
      .statements = {meta::l4proto() == L4Proto::tcp, any_bits(th::word(12), word(0, 0x06, 0, 0)), set_nftrace()}});
  batch.add(Chain{.id = {kTraced, "forward"}, .hook = Hook{.point = HookPoint::forward}});
  if (!then.empty()) batch.add(Rule{.chain = {kTraced, "forward"}, .statements = std::move(then)});
  batch.commit(netns);
}

std::vector<TraceEvent> in_chain(const std::vector<TraceEvent>& events, const std::string& chain) {
  std::vector<TraceEvent> found;
  for (const auto& event : events)
    if (event.chain.name == chain) found.push_back(event);
  return found;
}

TEST(Trace, TellsOfEveryRuleThatAPacketMeetsAndOfThePolicy) {
  Lab lab(1);
  trace_in(lab.router(), {});
  TraceMonitor monitor(lab.router());
  ASSERT_TRUE(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(0)));
  const auto events = monitor.read();
  EXPECT_FALSE(monitor.lost_some());
  const auto forward = in_chain(events, "forward");
  ASSERT_GE(forward.size(), 4U) << "of the SYN and of its answer: the chain's end, and its policy";
  EXPECT_EQ(forward[0].kind, TraceEvent::Kind::end);
  EXPECT_EQ(forward[1].kind, TraceEvent::Kind::policy);
  EXPECT_EQ(forward[1].verdict.kind, Verdict::Kind::accept);
  EXPECT_EQ(forward[1].id, forward[0].id);
  EXPECT_EQ(forward[0].chain.table, kTraced);
  EXPECT_NE(forward[0].in, 0);
  EXPECT_NE(forward[0].out, 0);
  ASSERT_GE(forward[0].network.size(), 20U);
  EXPECT_EQ(forward[0].network[9], 6) << "the protocol in the header of IPv4";
  ASSERT_GE(forward[0].transport.size(), 20U);
  EXPECT_EQ(forward[0].transport[13] & 0x12, 0x02) << "the SYN comes first";
  ASSERT_GE(forward[2].transport.size(), 20U);
  EXPECT_EQ(forward[2].transport[13] & 0x12, 0x12);
  const auto early = in_chain(events, "early");
  ASSERT_GE(early.size(), 2U);
  EXPECT_EQ(early[0].kind, TraceEvent::Kind::rule);
  EXPECT_EQ(early[0].handle, list_rules(lab.router(), ChainId{kTraced, "early"}).front().id.handle);
}

TEST(Trace, NamesTheRuleThatRejects) {
  Lab lab(1);
  trace_in(lab.router(), {tcp::dport() == Data::port(Lab::kPort), reject()});
  TraceMonitor monitor(lab.router());
  EXPECT_EQ(lab.flow(lab.client(), Protocol::tcp, Lab::server_address(0)), std::nullopt);
  const auto forward = in_chain(monitor.read(), "forward");
  ASSERT_FALSE(forward.empty());
  EXPECT_EQ(forward[0].kind, TraceEvent::Kind::rule);
  EXPECT_EQ(forward[0].verdict.kind, Verdict::Kind::drop);
  EXPECT_EQ(forward[0].handle, list_rules(lab.router(), ChainId{kTraced, "forward"}).front().id.handle);
}

TEST(Trace, HearsNothingOfWhatIsntTraced) {
  Lab lab(1);
  trace_in(lab.router(), {});
  TraceMonitor monitor(lab.router());
  ASSERT_TRUE(lab.flow(lab.client(), Protocol::udp, Lab::server_address(0)));
  EXPECT_TRUE(monitor.read().empty());
}

TEST(Trace, ReadsAsTyped) {
  const NetNs netns = NetNs::create();
  Batch batch;
  batch.add(Table{.id = kTraced}).add(Chain{.id = {kTraced, "c"}});
  batch.add(Rule{.chain = {kTraced, "c"}, .statements = {th::word(8) == word(0x12, 0x34, 0x56, 0x78), set_nftrace()}});
  batch.commit(netns);
  EXPECT_THAT(lab::listing(netns), testing::HasSubstr("@th,64,32 0x12345678 meta nftrace set 1"));
}

}  // namespace
}  // namespace knetsim::nft
