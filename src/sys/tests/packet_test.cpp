// Packet views: what whole headers say, and that nothing is read past the end of damaged ones.
#include "knetsim/sys/packet.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <random>

namespace knetsim::packet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Frame = std::vector<std::uint8_t>;

Frame operator+(Frame a, const Frame& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Frame word(std::size_t value) { return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)}; }

Frame ethernet(std::size_t type, const Frame& payload) {
  return Frame{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2} + word(type) + payload;
}

Frame ipv4(std::uint8_t protocol, const Frame& payload, std::size_t fragment = 0x4000) {
  return Frame{0x45, 0} + word(20 + payload.size()) + Frame{0, 1} + word(fragment) +
         Frame{64, protocol, 0, 0, 10, 0, 0, 3, 10, 0, 0, 4} + payload;
}

Frame ipv6(std::uint8_t next, const Frame& payload) {
  return Frame{0x60, 0, 0, 0} + word(payload.size()) + Frame{next, 63} +
         Frame{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1} +
         Frame{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2} + payload;
}

Frame udp(std::size_t port, const Frame& payload) {
  return word(41000) + word(port) + word(8 + payload.size()) + Frame{0, 0} + payload;
}

Frame tcp(std::uint8_t flags, const Frame& payload) {
  return word(41000) + word(80) + Frame{0, 0, 0, 0, 0, 0, 0, 0, 0x60, flags, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1} + payload;
}

const Frame kPing = {8, 0, 0, 0, 0, 1, 0, 1};
Frame vxlan(const Frame& inner) { return Frame{8, 0, 0, 0, 0, 0, 100, 0} + inner; }
const Frame kOverlayPing =
    ethernet(0x0800, ipv4(IPPROTO_UDP, udp(8472, vxlan(ethernet(0x0800, ipv4(IPPROTO_ICMP, kPing))))));

TEST(Ethernet, IsTakenApart) {
  const auto frame = ethernet(0x0800, {1, 2, 3});
  const auto parsed = parse_ethernet(frame);
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed->destination, ElementsAre(2, 0, 0, 0, 0, 1));
  EXPECT_THAT(parsed->source, ElementsAre(2, 0, 0, 0, 0, 2));
  EXPECT_EQ(parsed->type, 0x0800);
  EXPECT_THAT(parsed->payload, ElementsAre(1, 2, 3));
}

TEST(Ethernet, IsLookedThroughVlanTags) {
  const auto frame = ethernet(0x8100, Frame{0, 7, 0x81, 0, 0, 8, 0x86, 0xdd, 42});
  const auto parsed = parse_ethernet(frame);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->type, 0x86dd);
  EXPECT_THAT(parsed->payload, ElementsAre(42));
}

TEST(Ip, Version4IsTakenApart) {
  const auto packet = ipv4(IPPROTO_ICMP, {7});
  const auto parsed = parse_ip(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source, parse_address("10.0.0.3"));
  EXPECT_EQ(parsed->destination, parse_address("10.0.0.4"));
  EXPECT_EQ(parsed->hop_limit, 64);
  EXPECT_TRUE(parsed->dont_fragment);
  EXPECT_FALSE(parsed->fragment);
  EXPECT_EQ(parsed->protocol, IPPROTO_ICMP);
  EXPECT_THAT(parsed->payload, ElementsAre(7));
}

TEST(Ip, Version6IsTakenApart) {
  const auto packet = ipv6(IPPROTO_ICMPV6, {7});
  const auto parsed = parse_ip(packet);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source, parse_address("fd00::1"));
  EXPECT_EQ(parsed->destination, parse_address("fd00::2"));
  EXPECT_EQ(parsed->hop_limit, 63);
  EXPECT_EQ(parsed->protocol, IPPROTO_ICMPV6);
  EXPECT_THAT(parsed->payload, ElementsAre(7));
}

TEST(Ip, LeavesAFramesPaddingOut) {
  EXPECT_THAT(parse_ip(ipv4(IPPROTO_ICMP, {7}) + Frame(20, 0))->payload.size(), 1U);
  EXPECT_THAT(parse_ip(ipv6(IPPROTO_ICMPV6, {7}) + Frame(20, 0))->payload.size(), 1U);
}

TEST(Ip, SkipsOptionsAndExtensionHeaders) {
  auto with_options = ipv4(IPPROTO_ICMP, {1, 1, 1, 1, 7});
  with_options[0] = 0x46;
  EXPECT_THAT(parse_ip(with_options)->payload, ElementsAre(7));

  const Frame destination_options = {IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0};
  const Frame routing = Frame{IPPROTO_UDP, 1} + Frame(14, 0);
  const auto packet = ipv6(IPPROTO_DSTOPTS, destination_options + routing + Frame{7});
  ASSERT_TRUE(parse_ip(packet));
  EXPECT_EQ(parse_ip(packet)->protocol, IPPROTO_UDP);
  EXPECT_THAT(parse_ip(packet)->payload, ElementsAre(7));
}

TEST(Ip, TellsFragments) {
  EXPECT_TRUE(parse_ip(ipv4(IPPROTO_UDP, {1}, 0x2000))->fragment) << "more fragments follow";
  EXPECT_TRUE(parse_ip(ipv4(IPPROTO_UDP, {1}, 0x0001))->fragment) << "not the first one";
  EXPECT_FALSE(parse_ip(ipv4(IPPROTO_UDP, {1}, 0x0000))->fragment);
  EXPECT_FALSE(parse_ip(ipv4(IPPROTO_UDP, {1}, 0x0000))->dont_fragment);
  const auto v6 = ipv6(IPPROTO_FRAGMENT, Frame{IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 9, 1});
  EXPECT_TRUE(parse_ip(v6)->fragment);
  EXPECT_EQ(parse_ip(v6)->protocol, IPPROTO_UDP);
}

TEST(Udp, IsTakenApart) {
  const auto datagram = udp(8472, {5});
  const auto parsed = parse_udp(datagram);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->source_port, 41000);
  EXPECT_EQ(parsed->destination_port, 8472);
  EXPECT_THAT(parsed->payload, ElementsAre(5));
}

TEST(Tcp, IsTakenApart) {
  const auto segment = tcp(0x12, {5});
  const auto parsed = parse_tcp(segment);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->destination_port, 80);
  EXPECT_EQ(parsed->flags, 0x12);
  EXPECT_THAT(parsed->payload, ElementsAre(5)) << "without the options";
}

TEST(Vxlan, HasANumberOnlyWithItsFlag) {
  EXPECT_EQ(parse_vxlan(Frame{8, 0, 0, 0, 1, 2, 3, 0})->vni, 0x010203U);
  EXPECT_EQ(parse_vxlan(Frame{0, 0, 0, 0, 1, 2, 3, 0}), std::nullopt);
}

TEST(Encapsulated, IsTakenApartDownToTheInnerFrame) {
  const auto parsed = parse_encapsulated(kOverlayPing);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->outer.destination, parse_address("10.0.0.4"));
  EXPECT_EQ(parsed->udp.destination_port, 8472);
  EXPECT_EQ(parsed->vxlan.vni, 100U);
  EXPECT_EQ(parse_ip(parsed->inner.payload)->protocol, IPPROTO_ICMP);
  EXPECT_FALSE(parse_encapsulated(kOverlayPing, 4789)) << "another port";
}

TEST(Encapsulated, IsNotAnythingElse) {
  EXPECT_FALSE(parse_encapsulated(ethernet(0x0806, Frame(46, 0))));
  EXPECT_FALSE(parse_encapsulated(ethernet(0x0800, ipv4(IPPROTO_TCP, udp(8472, vxlan(Frame(14, 0)))))));
  EXPECT_FALSE(parse_encapsulated(ethernet(0x0800, ipv4(IPPROTO_UDP, udp(8472, vxlan(Frame(14, 0))), 0x2000))));
}

TEST(Summary, SaysWhoSendsWhatToWhom) {
  EXPECT_EQ(summary(kOverlayPing), "10.0.0.3:41000 > 10.0.0.4:8472 UDP, VXLAN 100: 10.0.0.3 > 10.0.0.4 ICMP 8/0");
  EXPECT_EQ(summary(ethernet(0x86dd, ipv6(IPPROTO_TCP, tcp(0x12, {1, 2})))),
            "[fd00::1]:41000 > [fd00::2]:80 TCP [S.] 2 bytes");
  EXPECT_EQ(summary(ethernet(0x86dd, ipv6(IPPROTO_ICMPV6, {128, 0, 0, 0}))), "fd00::1 > fd00::2 ICMPv6 128/0");
  EXPECT_EQ(summary(ethernet(0x0800, ipv4(IPPROTO_UDP, udp(53, {8, 0, 0})))),
            "10.0.0.3:41000 > 10.0.0.4:53 UDP 3 bytes");
  EXPECT_EQ(summary(ethernet(0x0800, ipv4(IPPROTO_UDP, Frame(8, 1), 1))),
            "10.0.0.3 > 10.0.0.4 fragment of IP protocol 17");
  EXPECT_EQ(summary(ethernet(0x0806, Frame(28, 0))), "ARP");
  EXPECT_EQ(summary(Frame{1, 2}), "2 bytes, no Ethernet frame");
}

// Every parser on every beginning of good packets. Each piece is a heap block of exactly its size: with
// AddressSanitizer a read past the end is fatal.
struct Truncation {
  const char* name;
  Frame whole;
  bool (*parses)(Bytes);
};
class TruncatedInput : public testing::TestWithParam<Truncation> {};

TEST_P(TruncatedInput, IsRefusedAtEveryLength) {
  const auto& [name, whole, parses] = GetParam();
  EXPECT_TRUE(parses(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const Frame piece(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(parses(piece)) << length << " of " << whole.size() << " bytes";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, TruncatedInput,
    testing::Values(
        Truncation{"Ethernet", ethernet(0x0800, {}), [](Bytes b) { return parse_ethernet(b).has_value(); }},
        Truncation{"VlanTag", ethernet(0x8100, {0, 1, 8, 0}), [](Bytes b) { return parse_ethernet(b).has_value(); }},
        Truncation{"Ipv4", ipv4(IPPROTO_UDP, {1, 2}), [](Bytes b) { return parse_ip(b).has_value(); }},
        Truncation{"Ipv6", ipv6(IPPROTO_UDP, {1, 2}), [](Bytes b) { return parse_ip(b).has_value(); }},
        Truncation{"Ipv6Extension", ipv6(IPPROTO_HOPOPTS, Frame{IPPROTO_UDP, 1} + Frame(14, 0)),
                   [](Bytes b) { return parse_ip(b).has_value(); }},
        Truncation{"Udp", udp(53, {1, 2}), [](Bytes b) { return parse_udp(b).has_value(); }},
        Truncation{"Tcp", tcp(2, {}), [](Bytes b) { return parse_tcp(b).has_value(); }},
        Truncation{"Icmp", {8, 0, 0, 0}, [](Bytes b) { return parse_icmp(b).has_value(); }},
        Truncation{"Vxlan", vxlan({}), [](Bytes b) { return parse_vxlan(b).has_value(); }},
        Truncation{"Encapsulated", kOverlayPing, [](Bytes b) { return parse_encapsulated(b).has_value(); }}),
    [](const auto& instance) { return instance.param.name; });

TEST(DamagedInput, WhoseHeaderContradictsItselfIsRefused) {
  auto short_header = ipv4(IPPROTO_UDP, {1});
  short_header[0] = 0x44;
  EXPECT_FALSE(parse_ip(short_header));
  auto total_below_header = ipv4(IPPROTO_UDP, {1});
  total_below_header[3] = 19;
  EXPECT_FALSE(parse_ip(total_below_header));
  auto unknown_version = ipv4(IPPROTO_UDP, {1});
  unknown_version[0] = 0x55;
  EXPECT_FALSE(parse_ip(unknown_version));
  auto short_udp = udp(53, {1});
  short_udp[5] = 7;
  EXPECT_FALSE(parse_udp(short_udp));
  auto short_tcp = tcp(2, {});
  short_tcp[12] = 0x40;
  EXPECT_FALSE(parse_tcp(short_tcp));
  const auto endless_extension = ipv6(IPPROTO_HOPOPTS, Frame{IPPROTO_HOPOPTS, 255, 0, 0, 0, 0, 0, 0});
  EXPECT_FALSE(parse_ip(endless_extension));
}

TEST(DamagedInput, OfAnyKindIsSummedUpWithoutHarm) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    auto frame = kOverlayPing;
    for (int flips = 0; flips < 4; ++flips) frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    frame.resize(random() % (frame.size() + 1));
    frame.shrink_to_fit();
    EXPECT_FALSE(summary(frame).empty());
  }
}

}  // namespace
}  // namespace knetsim::packet
