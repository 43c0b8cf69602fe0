#include "packet.h"

#include <fmt/format.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace knetsim::explain {

namespace {

using packet::Bytes;

constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kRst = 4;
constexpr std::uint8_t kAck = 16;

/// 0 where there is nothing.
template <typename Number>
Number number_at(Bytes bytes, std::size_t at) {
  Number number = 0;
  if (bytes.size() < at + sizeof(Number)) return number;
  for (std::size_t i = 0; i < sizeof(Number); ++i) number = static_cast<Number>(number << 8 | bytes[at + i]);
  return number;
}

std::optional<std::uint64_t> nonce_at(Bytes bytes, std::size_t at) {
  if (bytes.size() < at + sizeof(std::uint64_t)) return std::nullopt;
  return number_at<std::uint64_t>(bytes, at);
}

std::optional<Protocol> protocol_of(std::uint8_t number) {
  switch (number) {
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return Protocol::icmp;
    case IPPROTO_TCP:
      return Protocol::tcp;
    case IPPROTO_UDP:
      return Protocol::udp;
    default:
      return std::nullopt;
  }
}

template <std::size_t N>
std::array<std::uint8_t, N> octets_at(Bytes bytes, std::size_t at) {
  std::array<std::uint8_t, N> octets{};
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), N, octets.begin());
  return octets;
}

/// Headers without extensions: what knetsim's probes have.
std::size_t header_length(Bytes network) {
  if (network.empty()) return 0;
  if (network[0] >> 4 == 6) return network.size() >= 40 ? 40 : 0;
  const std::size_t length = (network[0] & 0x0fU) * 4;
  return network[0] >> 4 == 4 && length >= 20 && network.size() >= length ? length : 0;
}

bool is_error(const Packet& packet, bool v6) {
  if (v6) return packet.icmp_type < 128;
  return packet.icmp_type == 3 || packet.icmp_type == 11 || packet.icmp_type == 12;
}

void read_quoted(Packet& packet, Bytes transport, bool v6) {
  if (transport.size() < 8) return;
  const auto ip = transport.subspan(8);
  const auto length = header_length(ip);
  if (length == 0) return;
  const auto inner = ip.subspan(length);
  const auto protocol = protocol_of(v6 ? ip[6] : ip[9]);
  if (!protocol) return;
  Ends ends;
  if (v6) {
    ends.source = boost::asio::ip::address_v6(octets_at<16>(ip, 8));
    ends.destination = boost::asio::ip::address_v6(octets_at<16>(ip, 24));
  } else {
    ends.source = boost::asio::ip::address_v4(octets_at<4>(ip, 12));
    ends.destination = boost::asio::ip::address_v4(octets_at<4>(ip, 16));
  }
  Identity identity;
  if (*protocol == Protocol::tcp) {
    if (inner.size() >= 8) identity.sequence = number_at<std::uint32_t>(inner, 4);
  } else {
    identity.nonce = nonce_at(inner, 8);
  }
  if (*protocol != Protocol::icmp) {
    ends.source_port = number_at<std::uint16_t>(inner, 0);
    ends.destination_port = number_at<std::uint16_t>(inner, 2);
  }
  packet.quoted = identity;
  packet.quoted_ends = ends;
}

void read_transport(Packet& packet, Bytes transport, bool v6) {
  switch (packet.protocol) {
    case Protocol::tcp:
      packet.ends.source_port = number_at<std::uint16_t>(transport, 0);
      packet.ends.destination_port = number_at<std::uint16_t>(transport, 2);
      packet.sequence = number_at<std::uint32_t>(transport, 4);
      packet.acknowledged = number_at<std::uint32_t>(transport, 8);
      packet.tcp_flags = number_at<std::uint8_t>(transport, 13);
      return;
    case Protocol::udp:
      packet.ends.source_port = number_at<std::uint16_t>(transport, 0);
      packet.ends.destination_port = number_at<std::uint16_t>(transport, 2);
      packet.nonce = nonce_at(transport, 8);
      return;
    case Protocol::icmp:
      packet.icmp_type = number_at<std::uint8_t>(transport, 0);
      packet.icmp_code = number_at<std::uint8_t>(transport, 1);
      if (!is_error(packet, v6)) {
        packet.nonce = nonce_at(transport, 8);
        return;
      }
      packet.next_mtu = v6 ? static_cast<std::uint16_t>(number_at<std::uint32_t>(transport, 4))
                           : number_at<std::uint16_t>(transport, 6);
      read_quoted(packet, transport, v6);
      return;
  }
}

}  // namespace

std::string_view name_of(Protocol protocol) {
  return protocol == Protocol::tcp ? "tcp" : protocol == Protocol::udp ? "udp" : "icmp";
}

std::string to_string(const Ends& ends) {
  const auto end = [](const Address& address, std::uint16_t port) {
    if (port == 0) return address.to_string();
    return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                           : fmt::format("{}:{}", address.to_string(), port);
  };
  return end(ends.source, ends.source_port) + " > " + end(ends.destination, ends.destination_port);
}

std::optional<Packet> decode_packet(Bytes network, Bytes transport) {
  const auto length = header_length(network);
  if (length == 0) return std::nullopt;
  const bool v6 = network[0] >> 4 == 6;
  const auto protocol = protocol_of(v6 ? network[6] : network[9]);
  if (!protocol) return std::nullopt;
  Packet packet{.ends = {}, .protocol = *protocol};
  if (v6) {
    packet.ends = {boost::asio::ip::address_v6(octets_at<16>(network, 8)),
                   boost::asio::ip::address_v6(octets_at<16>(network, 24))};
    packet.length = static_cast<std::uint16_t>(number_at<std::uint16_t>(network, 4) + 40);
    packet.hop_limit = network[7];
    packet.dont_fragment = true;
  } else {
    if ((number_at<std::uint16_t>(network, 6) & 0x1fffU) != 0) return std::nullopt;
    packet.ends = {boost::asio::ip::address_v4(octets_at<4>(network, 12)),
                   boost::asio::ip::address_v4(octets_at<4>(network, 16))};
    packet.length = number_at<std::uint16_t>(network, 2);
    packet.ip_id = number_at<std::uint16_t>(network, 4);
    packet.hop_limit = network[8];
    packet.dont_fragment = (network[6] & 0x40U) != 0;
  }
  read_transport(packet, transport, v6);
  return packet;
}

std::optional<Packet> decode_packet(Bytes ip) {
  const auto length = header_length(ip);
  return length == 0 ? std::nullopt : decode_packet(ip, ip.subspan(length));
}

std::string what_of(const Packet& packet) {
  if (packet.protocol == Protocol::udp) return "udp";
  if (packet.protocol == Protocol::tcp) {
    std::string text = "tcp";
    for (const auto& [bit, name] : {std::pair{kSyn, " syn"}, {kRst, " rst"}, {kAck, " ack"}})
      if ((packet.tcp_flags & bit) != 0) text += name;
    return text;
  }
  const bool v6 = packet.ends.source.is_v6();
  const auto type = packet.icmp_type;
  const auto code = packet.icmp_code;
  if (type == (v6 ? 128 : 8)) return "icmp echo request";
  if (type == (v6 ? 129 : 0)) return "icmp echo reply";
  if (v6 ? type == 2 : type == 3 && code == 4)
    return fmt::format("icmp {} (mtu {})", v6 ? "packet too big" : "fragmentation needed", packet.next_mtu);
  if (type == (v6 ? 3 : 11)) return "icmp time exceeded";
  if (type == (v6 ? 1 : 3)) {
    static constexpr std::array kFour{"net unreachable", "host unreachable", "protocol unreachable",
                                      "port unreachable"};
    if (!v6 && code < kFour.size()) return fmt::format("icmp {}", kFour.at(code));
    if (!v6 && (code == 9 || code == 10 || code == 13)) return "icmp administratively prohibited";
    if (v6 && code == 4) return "icmp port unreachable";
    if (v6 && code == 1) return "icmp administratively prohibited";
    return "icmp unreachable";
  }
  return fmt::format("icmp {}/{}", type, code);
}

std::optional<Frame> decode_frame(Bytes bytes, const std::vector<std::uint16_t>& vxlan_ports) {
  const auto ethernet = packet::parse_ethernet(bytes);
  if (!ethernet || (ethernet->type != ETHERTYPE_IP && ethernet->type != ETHERTYPE_IPV6)) return std::nullopt;
  auto outside = decode_packet(ethernet->payload);
  if (!outside) return std::nullopt;
  Frame frame{.source = ethernet->source, .destination = ethernet->destination, .packet = *outside};
  if (outside->protocol != Protocol::udp ||
      std::find(vxlan_ports.begin(), vxlan_ports.end(), outside->ends.destination_port) == vxlan_ports.end())
    return frame;
  const auto datagram = ethernet->payload.subspan(header_length(ethernet->payload));
  if (datagram.size() < 8) return frame;
  const auto vxlan = packet::parse_vxlan(datagram.subspan(8));
  if (!vxlan) return frame;
  const auto inner = packet::parse_ethernet(vxlan->payload);
  if (!inner) return frame;
  auto inside = decode_packet(inner->payload);
  if (!inside) return frame;
  frame.packet = *inside;
  frame.outer = Outer{.ends = outside->ends, .ip_id = outside->ip_id, .vni = vxlan->vni, .length = outside->length};
  return frame;
}

std::uint16_t echo_id_of(std::uint64_t nonce) { return static_cast<std::uint16_t>((nonce >> 32) + nonce); }

Recognizer::Recognizer(Protocol protocol, std::uint64_t nonce, Ends sent)
    : protocol_(protocol), nonce_(nonce), forms_{std::move(sent)} {}

bool Recognizer::is_known(const Ends& ends) const {
  return std::find(forms_.begin(), forms_.end(), ends) != forms_.end();
}

std::optional<Part> Recognizer::part_of(const Packet& packet) {
  if (packet.quoted) {
    const auto& quoted = *packet.quoted;
    if (protocol_ != Protocol::tcp) return quoted.nonce == nonce_ ? std::optional(Part::complaint) : std::nullopt;
    return quoted.sequence && quoted.sequence == sequence_ ? std::optional(Part::complaint) : std::nullopt;
  }
  if (packet.protocol != protocol_) return std::nullopt;
  switch (protocol_) {
    case Protocol::icmp:
      if (packet.nonce != nonce_) return std::nullopt;
      return packet.icmp_type == 8 || packet.icmp_type == 128 ? Part::request : Part::answer;
    case Protocol::udp:
      if (packet.nonce == nonce_ && !is_known(packet.ends.reversed())) {
        if (!is_known(packet.ends)) forms_.push_back(packet.ends);
        return Part::request;
      }
      // An answer carries what the server likes; NAT undoes what it did, so it looks like a request turned round.
      return is_known(packet.ends.reversed()) ? std::optional(Part::answer) : std::nullopt;
    case Protocol::tcp:
      if ((packet.tcp_flags & kSyn) != 0 && (packet.tcp_flags & kAck) == 0) {
        if (!sequence_ && packet.ends == forms_.front()) sequence_ = packet.sequence;
        return sequence_ && packet.sequence == *sequence_ ? std::optional(Part::request) : std::nullopt;
      }
      if ((packet.tcp_flags & kAck) == 0 || (packet.tcp_flags & (kSyn | kRst)) == 0) return std::nullopt;
      return sequence_ && packet.acknowledged == *sequence_ + 1 ? std::optional(Part::answer) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace knetsim::explain
