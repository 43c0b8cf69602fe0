#include "packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace knetsim::explain {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kCarried = 0x1122334455667788;

void append(Bytes& bytes, std::uint64_t number, int octets) {
  for (int i = octets - 1; i >= 0; --i) bytes.push_back(static_cast<std::uint8_t>(number >> (8 * i)));
}

Bytes ipv4(const char* from, const char* to, std::uint8_t protocol, const Bytes& payload, std::uint16_t id = 7) {
  Bytes bytes{0x45, 0};
  append(bytes, 20 + payload.size(), 2);
  append(bytes, id, 2);
  append(bytes, 0x4000, 2);
  bytes.insert(bytes.end(), {64, protocol, 0, 0});
  for (const auto* address : {from, to})
    for (const auto octet : parse_address(address).to_v4().to_bytes()) bytes.push_back(octet);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Bytes udp(std::uint16_t from, std::uint16_t to, const Bytes& payload) {
  Bytes bytes;
  append(bytes, from, 2);
  append(bytes, to, 2);
  append(bytes, 8 + payload.size(), 2);
  append(bytes, 0, 2);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Bytes tcp(std::uint16_t from, std::uint16_t to, std::uint32_t sequence, std::uint32_t ack, std::uint8_t flags) {
  Bytes bytes;
  append(bytes, from, 2);
  append(bytes, to, 2);
  append(bytes, sequence, 4);
  append(bytes, ack, 4);
  bytes.insert(bytes.end(), {0x50, flags, 0, 0, 0, 0, 0, 0});
  return bytes;
}

Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Bytes& payload) {
  Bytes bytes{type, code, 0, 0};
  append(bytes, rest, 4);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Bytes nonce() {
  Bytes bytes;
  append(bytes, kCarried, 8);
  return bytes;
}

Bytes ethernet(const Bytes& payload) {
  Bytes bytes{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Packet decoded(const Bytes& bytes) {
  const auto packet = decode_packet(bytes);
  EXPECT_TRUE(packet);
  return packet.value_or(Packet{});
}

const Ends kSent{parse_address("11.1.0.2"), parse_address("100.64.10.1"), 4000, 80};

TEST(ExplainedPacket, IsTakenOutOfVxlan) {
  Bytes vxlan{8, 0, 0, 0, 0, 0, 100, 0};
  const auto inner = ethernet(ipv4("11.1.0.2", "11.2.0.2", IPPROTO_ICMP, icmp(8, 0, 1, nonce())));
  vxlan.insert(vxlan.end(), inner.begin(), inner.end());
  const auto frame =
      decode_frame(ethernet(ipv4("10.0.0.3", "10.0.0.4", IPPROTO_UDP, udp(5555, 8472, vxlan), 9)), {8472});
  ASSERT_TRUE(frame);
  ASSERT_TRUE(frame->outer);
  EXPECT_EQ(frame->outer->vni, 100U);
  EXPECT_EQ(frame->outer->ip_id, 9);
  EXPECT_EQ(to_string(frame->outer->ends), "10.0.0.3:5555 > 10.0.0.4:8472");
  EXPECT_EQ(to_string(frame->packet.ends), "11.1.0.2 > 11.2.0.2");
  EXPECT_EQ(frame->packet.nonce, kCarried);
  const auto other_port =
      decode_frame(ethernet(ipv4("10.0.0.3", "10.0.0.4", IPPROTO_UDP, udp(5555, 8472, vxlan))), {4789});
  ASSERT_TRUE(other_port);
  EXPECT_FALSE(other_port->outer) << "it is VXLAN only on the ports of VXLAN";
}

TEST(ExplainedPacket, IsReadAsFarAsItGoes) {
  const auto whole = ipv4("11.1.0.2", "11.2.0.2", IPPROTO_ICMP,
                          icmp(3, 4, 1400, ipv4("11.1.0.2", "11.2.0.2", IPPROTO_UDP, udp(4000, 53, nonce()))));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto cut = decode_packet(packet::Bytes(whole).first(size));
    EXPECT_EQ(cut.has_value(), size >= 20) << size;
    if (cut && cut->quoted) {
      EXPECT_EQ(cut->quoted->nonce.has_value(), size >= whole.size()) << size;
    }
  }
  const auto packet = decoded(whole);
  EXPECT_EQ(packet.next_mtu, 1400);
  ASSERT_TRUE(packet.quoted);
  EXPECT_EQ(packet.quoted->nonce, kCarried);
  EXPECT_EQ(what_of(packet), "icmp fragmentation needed (mtu 1400)");
}

struct Seen {
  const char* what;
  Bytes bytes;
  std::optional<Part> part;
};

void expect_parts(Recognizer recognizer, const std::vector<Seen>& all) {
  for (const auto& one : all) EXPECT_EQ(recognizer.part_of(decoded(one.bytes)), one.part) << one.what;
}

TEST(ARecognizer, FollowsTcpByItsSequenceNumbers) {
  expect_parts(
      Recognizer(Protocol::tcp, kCarried, kSent),
      {{"another's SYN", ipv4("11.1.0.2", "100.64.10.1", IPPROTO_TCP, tcp(4001, 80, 5, 0, 2)), std::nullopt},
       {"the SYN", ipv4("11.1.0.2", "100.64.10.1", IPPROTO_TCP, tcp(4000, 80, 1000, 0, 2)), Part::request},
       {"translated", ipv4("10.0.0.3", "11.2.0.2", IPPROTO_TCP, tcp(61000, 8080, 1000, 0, 2)), Part::request},
       {"another's, of the same ends", ipv4("10.0.0.3", "11.2.0.2", IPPROTO_TCP, tcp(61000, 8080, 77, 0, 2)),
        std::nullopt},
       {"the answer", ipv4("11.2.0.2", "10.0.0.3", IPPROTO_TCP, tcp(8080, 61000, 9, 1001, 0x12)), Part::answer},
       {"a reset", ipv4("11.2.0.2", "10.0.0.3", IPPROTO_TCP, tcp(8080, 61000, 0, 1001, 0x14)), Part::answer},
       {"data", ipv4("11.1.0.2", "100.64.10.1", IPPROTO_TCP, tcp(4000, 80, 1001, 10, 0x10)), std::nullopt},
       {"a complaint",
        ipv4("10.0.0.9", "11.1.0.2", IPPROTO_ICMP,
             icmp(3, 1, 0, ipv4("11.1.0.2", "100.64.10.1", IPPROTO_TCP, tcp(4000, 80, 1000, 0, 2)))),
        Part::complaint}});
}

TEST(ARecognizer, TellsAnEchoedDatagramFromTheRequest) {
  expect_parts(
      Recognizer(Protocol::udp, kCarried, kSent),
      {{"the request", ipv4("11.1.0.2", "100.64.10.1", IPPROTO_UDP, udp(4000, 80, nonce())), Part::request},
       {"translated", ipv4("11.1.0.2", "11.2.0.2", IPPROTO_UDP, udp(4000, 53, nonce())), Part::request},
       {"echoed", ipv4("11.2.0.2", "11.1.0.2", IPPROTO_UDP, udp(53, 4000, nonce())), Part::answer},
       {"answered", ipv4("100.64.10.1", "11.1.0.2", IPPROTO_UDP, udp(80, 4000, {1, 2, 3})), Part::answer},
       {"noise", ipv4("11.1.0.2", "11.2.0.2", IPPROTO_UDP, udp(4000, 54, {1, 2, 3, 4, 5, 6, 7, 8})), std::nullopt}});
}

TEST(ARecognizer, FollowsEchoesByWhatTheyCarry) {
  const Ends sent{parse_address("11.1.0.2"), parse_address("11.2.0.2")};
  expect_parts(Recognizer(Protocol::icmp, kCarried, sent),
               {{"request", ipv4("11.1.0.2", "11.2.0.2", IPPROTO_ICMP, icmp(8, 0, 1, nonce())), Part::request},
                {"reply", ipv4("11.2.0.2", "11.1.0.2", IPPROTO_ICMP, icmp(0, 0, 1, nonce())), Part::answer},
                {"another ping", ipv4("11.1.0.2", "11.2.0.2", IPPROTO_ICMP, icmp(8, 0, 1, Bytes(8))), std::nullopt}});
}

TEST(AnEchosId, IsAnotherForEachProbeOfEachQuestion) {
  const auto id_of = [](std::uint64_t question, std::uint64_t probe) { return echo_id_of(question << 32 | probe); };
  EXPECT_NE(id_of(7, 0), id_of(9, 0));
  EXPECT_NE(id_of(7, 0), id_of(7, 1));
}

}  // namespace
}  // namespace knetsim::explain
