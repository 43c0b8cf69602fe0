// Tracked flows, written straight into the kernel's table, are told as they are and removed by what they are.
#include "knetsim/netlink/conntrack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <cerrno>

#include "knetsim/netlink/channel.h"
#include "message.h"
#include "pair.h"

namespace knetsim::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Entry {
  const char* from;
  const char* to;
  const char* backend;
  std::uint8_t protocol = IPPROTO_UDP;
  std::uint16_t from_port = 5555;  ///< of ICMP: the id
  std::uint16_t to_port = 53;
  std::uint32_t mark = 0;
  std::uint16_t zone = 0;
};

void put_side(Message& message, int type, const Address& source, const Address& destination, const Entry& entry,
              bool back) {
  const bool v6 = source.is_v6();
  message.nest(type, [&] {
    message.nest(CTA_TUPLE_IP, [&] {
      message.address(v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, source);
      message.address(v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, destination);
    });
    message.nest(CTA_TUPLE_PROTO, [&] {
      message.u8(CTA_PROTO_NUM, entry.protocol);
      if (entry.protocol == IPPROTO_ICMP) {
        message.be16(CTA_PROTO_ICMP_ID, entry.from_port).u8(CTA_PROTO_ICMP_TYPE, back ? 0 : 8);
        message.u8(CTA_PROTO_ICMP_CODE, 0);
      } else if (entry.protocol == IPPROTO_ICMPV6) {
        message.be16(CTA_PROTO_ICMPV6_ID, entry.from_port).u8(CTA_PROTO_ICMPV6_TYPE, back ? 129 : 128);
        message.u8(CTA_PROTO_ICMPV6_CODE, 0);
      } else {
        message.be16(CTA_PROTO_SRC_PORT, back ? entry.to_port : entry.from_port);
        message.be16(CTA_PROTO_DST_PORT, back ? entry.from_port : entry.to_port);
      }
    });
  });
}

struct TrackedFlows : testing::Test {
  NetNs ns = NetNs::create();
  Conntrack conntrack{ns, "w1"};

  void track(const std::vector<Entry>& entries) {
    auto socket = Socket::netfilter(ns);
    Batch batch(socket);
    for (const auto& entry : entries) {
      const auto from = parse_address(entry.from);
      Message message((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL);
      message.header(nfgenmsg{.nfgen_family = static_cast<std::uint8_t>(family(from)), .version = 0, .res_id = 0});
      put_side(message, CTA_TUPLE_ORIG, from, parse_address(entry.to), entry, false);
      put_side(message, CTA_TUPLE_REPLY, parse_address(entry.backend), from, entry, true);
      message.u32(CTA_TIMEOUT, htonl(600)).u32(CTA_MARK, htonl(entry.mark)).be16(CTA_ZONE, entry.zone);
      socket.channel().change(std::move(message), "track a flow");
    }
    batch.commit();
  }
  std::vector<std::string> told(const FlowFilter& filter = {}) {
    std::vector<std::string> texts;
    for (const auto& flow : conntrack.list(filter)) texts.push_back(to_string(flow));
    return texts;
  }
};

TEST_F(TrackedFlows, OfEveryProtocolAreToldAndRemovedOneByOne) {
  track({{"11.1.0.2", "100.64.10.1", "11.2.0.3"},
         {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_TCP, 5556, 80},
         {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_ICMP, 7},
         {"fd11:1::2", "fd64::1", "fd11:2::3"},
         {"fd11:1::2", "fd64::1", "fd11:2::3", IPPROTO_ICMPV6, 8}});
  EXPECT_EQ(conntrack.count(), 5U);
  EXPECT_THAT(told(), UnorderedElementsAre("udp 11.1.0.2:5555 -> 100.64.10.1:53, answered by 11.2.0.3:53",
                                           "tcp 11.1.0.2:5556 -> 100.64.10.1:80, answered by 11.2.0.3:80",
                                           "icmp 11.1.0.2 -> 100.64.10.1, answered by 11.2.0.3",
                                           "udp [fd11:1::2]:5555 -> [fd64::1]:53, answered by [fd11:2::3]:53",
                                           "icmpv6 fd11:1::2 -> fd64::1, answered by fd11:2::3"));
  for (const auto& flow : conntrack.list()) {
    const auto left = conntrack.count();
    EXPECT_EQ(conntrack.remove({}, [&](const Flow& one) { return one.id == flow.id; }), 1U) << to_string(flow);
    EXPECT_EQ(conntrack.count(), left - 1) << to_string(flow);
  }
}

TEST_F(TrackedFlows, AreFoundAndForgottenByTheirFirstPacket) {
  track({{"11.1.0.2", "100.64.10.1", "11.2.0.3"},
         {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_TCP, 5556, 80},
         {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_ICMP, 7},
         {"fd11:1::2", "fd64::1", "fd11:2::3"},
         {"fd11:1::2", "fd64::1", "fd11:2::3", IPPROTO_ICMPV6, 8}});
  for (const auto& flow : conntrack.list()) {
    const auto found = conntrack.find(flow.original);
    ASSERT_TRUE(found) << to_string(flow);
    EXPECT_EQ(found->id, flow.id);
    const auto left = conntrack.count();
    conntrack.forget(*found);
    EXPECT_EQ(conntrack.count(), left - 1);
    EXPECT_FALSE(conntrack.find(flow.original));
    EXPECT_NO_THROW(conntrack.forget(*found)) << "it has gone";
  }
}

TEST_F(TrackedFlows, AreChosenByEachMemberOfAFilter) {
  const auto of = [](auto set) {
    FlowFilter filter;
    set(filter);
    return filter;
  };
  const std::vector<FlowFilter> filters{
      of([](FlowFilter& f) { f.protocol = IPPROTO_TCP; }),
      of([](FlowFilter& f) { f.original_source = parse_address("11.1.0.9"); }),
      of([](FlowFilter& f) { f.original_destination = parse_address("100.64.10.9"); }),
      of([](FlowFilter& f) { f.original_destination_port = 54; }),
      of([](FlowFilter& f) { f.reply_source = parse_address("11.2.0.9"); }),
      of([](FlowFilter& f) { f.reply_source_port = 54; }),
      of([](FlowFilter& f) {
        f.protocol = IPPROTO_UDP;
        f.original_destination = parse_address("100.64.10.1");
        f.original_destination_port = 54;
        f.reply_source = parse_address("11.2.0.3");
        f.reply_source_port = 54;
      }),
      of([](FlowFilter& f) { f.mark = 0x4002, f.mark_mask = 0xf; }),
      of([](FlowFilter& f) { f.zone = 3; }),
      of([](FlowFilter& f) { f.original_destination = parse_address("fd64::1"); }),
      of([](FlowFilter& f) {
        f.protocol = IPPROTO_UDP;
        f.original_source = parse_address("fd11:1::2");
        f.original_destination = parse_address("fd64::1");
        f.original_destination_port = 54;
        f.reply_source = parse_address("fd11:2::4");
      })};
  const std::vector<std::vector<std::size_t>> chosen{{1},    {2}, {3}, {4, 9, 10}, {5}, {4, 9, 10},
                                                     {4, 9}, {6}, {7}, {8, 10},    {10}};
  const std::vector<Entry> entries{{"11.1.0.2", "100.64.10.1", "11.2.0.3"},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_TCP},
                                   {"11.1.0.9", "100.64.10.1", "11.2.0.3"},
                                   {"11.1.0.2", "100.64.10.9", "11.2.0.3", IPPROTO_UDP, 5561},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_UDP, 5556, 54},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.9", IPPROTO_UDP, 5557},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_UDP, 5558, 53, 0xf2},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_UDP, 5559, 53, 0, 3},
                                   {"fd11:1::2", "fd64::1", "fd11:2::3"},
                                   {"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_UDP, 5560, 54},
                                   {"fd11:1::2", "fd64::1", "fd11:2::4", IPPROTO_UDP, 5555, 54}};
  for (std::size_t i = 0; i < filters.size(); ++i) {
    track(entries);
    ASSERT_EQ(conntrack.count(), entries.size());
    EXPECT_EQ(conntrack.list(filters[i]).size(), chosen[i].size()) << i;
    EXPECT_EQ(conntrack.remove(filters[i]), chosen[i].size()) << i;
    EXPECT_THAT(told(filters[i]), IsEmpty()) << i;
    EXPECT_EQ(conntrack.count(), entries.size() - chosen[i].size()) << i;
    conntrack.remove({});
    EXPECT_EQ(conntrack.count(), 0U);
  }
}

TEST_F(TrackedFlows, OfNoFamilyMatchAFilterOfBoth) {
  track({{"11.1.0.2", "100.64.10.1", "11.2.0.3"}});
  FlowFilter both;
  both.original_destination = parse_address("100.64.10.1");
  both.reply_source = parse_address("fd11:2::3");
  EXPECT_THAT(told(both), IsEmpty());
  EXPECT_EQ(conntrack.remove(both), 0U);
}

TEST_F(TrackedFlows, OfAnotherNamespaceAreLeftAlone) {
  track({{"11.1.0.2", "100.64.10.1", "11.2.0.3"}});
  const auto elsewhere = NetNs::create();
  Conntrack other(elsewhere);
  EXPECT_EQ(other.count(), 0U);
  EXPECT_EQ(other.remove({}), 0U);
  EXPECT_EQ(conntrack.count(), 1U);
}

TEST_F(TrackedFlows, ByTheThousandGoInOneCall) {
  std::vector<Entry> entries;
  for (std::uint16_t port = 1; port <= 5000; ++port)
    entries.push_back({"11.1.0.2", "100.64.10.1", "11.2.0.3", IPPROTO_UDP, port});
  track(entries);
  EXPECT_EQ(conntrack.count(), 5000U);
  EXPECT_EQ(conntrack.remove({}, [](const Flow& flow) { return flow.original.source_port > 10; }), 4990U);
  EXPECT_EQ(conntrack.count(), 10U);
}

}  // namespace
}  // namespace knetsim::netlink
