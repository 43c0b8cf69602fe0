#include "knetsim/sys/packet.h"

#include <fmt/format.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#include <algorithm>

namespace knetsim::packet {

namespace {

std::uint16_t u16(Bytes bytes, std::size_t at) { return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]); }

template <std::size_t N>
std::array<std::uint8_t, N> take(Bytes bytes, std::size_t at) {
  std::array<std::uint8_t, N> taken;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), N, taken.begin());
  return taken;
}

std::optional<Ip> parse_ipv4(Bytes packet) {
  if (packet.size() < 20) return std::nullopt;
  const std::size_t header = (packet[0] & 0x0fU) * 4;
  const std::size_t total = u16(packet, 2);
  if (header < 20 || total < header || total > packet.size()) return std::nullopt;
  const auto fragment = u16(packet, 6);
  return Ip{.source = boost::asio::ip::address_v4(take<4>(packet, 12)),
            .destination = boost::asio::ip::address_v4(take<4>(packet, 16)),
            .hop_limit = packet[8],
            .dont_fragment = (fragment & 0x4000) != 0,
            .fragment = (fragment & 0x3fff) != 0,
            .protocol = packet[9],
            .payload = packet.subspan(header, total - header)};
}

std::optional<Ip> parse_ipv6(Bytes packet) {
  constexpr std::size_t kHeader = 40;
  if (packet.size() < kHeader || packet.size() - kHeader < u16(packet, 4)) return std::nullopt;
  Ip ip{.source = boost::asio::ip::address_v6(take<16>(packet, 8)),
        .destination = boost::asio::ip::address_v6(take<16>(packet, 24)),
        .hop_limit = packet[7],
        .dont_fragment = true,
        .fragment = false,
        .protocol = packet[6],
        .payload = packet.subspan(kHeader, u16(packet, 4))};
  const auto is_extension = [](std::uint8_t protocol) {
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
           protocol == IPPROTO_FRAGMENT;
  };
  while (is_extension(ip.protocol)) {
    if (ip.payload.size() < 8) return std::nullopt;
    const bool fragment = ip.protocol == IPPROTO_FRAGMENT;
    const std::size_t length = fragment ? 8 : (ip.payload[1] + 1U) * 8;
    if (ip.payload.size() < length) return std::nullopt;
    ip.fragment = ip.fragment || fragment;
    ip.protocol = ip.payload[0];
    ip.payload = ip.payload.subspan(length);
  }
  return ip;
}

std::string endpoint(const Address& address, std::uint16_t port) {
  return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), port)
                         : fmt::format("{}:{}", address.to_string(), port);
}

std::string tcp_flags(std::uint8_t flags) {
  std::string text;
  for (const auto& [bit, letter] : {std::pair{2, 'S'}, {1, 'F'}, {4, 'R'}, {8, 'P'}, {16, '.'}})
    if ((flags & bit) != 0) text += letter;
  return text;
}

std::string summary_of_ip(const Ip& ip) {
  const auto between = [&](const auto& ports, std::string_view what) {
    return fmt::format("{} > {} {}", endpoint(ip.source, ports.source_port),
                       endpoint(ip.destination, ports.destination_port), what);
  };
  if (!ip.fragment) {
    if (const auto tcp = parse_tcp(ip.payload); tcp && ip.protocol == IPPROTO_TCP)
      return between(*tcp, fmt::format("TCP [{}] {} bytes", tcp_flags(tcp->flags), tcp->payload.size()));
    if (const auto udp = parse_udp(ip.payload); udp && ip.protocol == IPPROTO_UDP) {
      const bool to_vtep = udp->destination_port == 8472 || udp->destination_port == 4789;
      if (const auto vxlan = parse_vxlan(udp->payload); vxlan && to_vtep)
        return between(*udp, fmt::format("UDP, VXLAN {}: {}", vxlan->vni, summary(vxlan->payload)));
      return between(*udp, fmt::format("UDP {} bytes", udp->payload.size()));
    }
  }
  const auto hosts = fmt::format("{} > {} ", ip.source.to_string(), ip.destination.to_string());
  if (ip.fragment) return hosts + fmt::format("fragment of IP protocol {}", ip.protocol);
  const bool is_icmp = ip.protocol == IPPROTO_ICMP || ip.protocol == IPPROTO_ICMPV6;
  if (const auto icmp = parse_icmp(ip.payload); icmp && is_icmp)
    return hosts + fmt::format("ICMP{} {}/{}", ip.source.is_v6() ? "v6" : "", icmp->type, icmp->code);
  return hosts + fmt::format("IP protocol {}", ip.protocol);
}

}  // namespace

std::optional<Ethernet> parse_ethernet(Bytes frame) {
  if (frame.size() < 14) return std::nullopt;
  std::size_t type_at = 12;
  while (u16(frame, type_at) == ETHERTYPE_VLAN) {
    if (frame.size() < type_at + 6) return std::nullopt;
    type_at += 4;
  }
  return Ethernet{.destination = take<6>(frame, 0),
                  .source = take<6>(frame, 6),
                  .type = u16(frame, type_at),
                  .payload = frame.subspan(type_at + 2)};
}

std::optional<Ip> parse_ip(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  const auto version = packet[0] >> 4;
  return version == 4 ? parse_ipv4(packet) : version == 6 ? parse_ipv6(packet) : std::nullopt;
}

std::optional<Udp> parse_udp(Bytes datagram) {
  if (datagram.size() < 8) return std::nullopt;
  const std::size_t length = u16(datagram, 4);
  if (length < 8 || length > datagram.size()) return std::nullopt;
  return Udp{.source_port = u16(datagram, 0),
             .destination_port = u16(datagram, 2),
             .payload = datagram.subspan(8, length - 8)};
}

std::optional<Tcp> parse_tcp(Bytes segment) {
  if (segment.size() < 20) return std::nullopt;
  const std::size_t header = (segment[12] >> 4) * 4U;
  if (header < 20 || header > segment.size()) return std::nullopt;
  return Tcp{.source_port = u16(segment, 0),
             .destination_port = u16(segment, 2),
             .flags = segment[13],
             .payload = segment.subspan(header)};
}

std::optional<Icmp> parse_icmp(Bytes message) {
  if (message.size() < 4) return std::nullopt;
  return Icmp{.type = message[0], .code = message[1], .payload = message.subspan(4)};
}

std::optional<Vxlan> parse_vxlan(Bytes datagram) {
  // Without the I flag there is no VNI to read.
  if (datagram.size() < 8 || (datagram[0] & 0x08) == 0) return std::nullopt;
  return Vxlan{.vni = static_cast<std::uint32_t>(datagram[4] << 16 | datagram[5] << 8 | datagram[6]),
               .payload = datagram.subspan(8)};
}

std::optional<Encapsulated> parse_encapsulated(Bytes frame, std::uint16_t port) {
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet || (ethernet->type != ETHERTYPE_IP && ethernet->type != ETHERTYPE_IPV6)) return std::nullopt;
  const auto outer = parse_ip(ethernet->payload);
  if (!outer || outer->protocol != IPPROTO_UDP || outer->fragment) return std::nullopt;
  const auto udp = parse_udp(outer->payload);
  if (!udp || udp->destination_port != port) return std::nullopt;
  const auto vxlan = parse_vxlan(udp->payload);
  if (!vxlan) return std::nullopt;
  const auto inner = parse_ethernet(vxlan->payload);
  if (!inner) return std::nullopt;
  return Encapsulated{.outer = *outer, .udp = *udp, .vxlan = *vxlan, .inner = *inner};
}

std::string summary(Bytes frame) {
  const auto ethernet = parse_ethernet(frame);
  if (!ethernet) return fmt::format("{} bytes, no Ethernet frame", frame.size());
  if (ethernet->type == ETHERTYPE_ARP) return "ARP";
  if (const auto ip = parse_ip(ethernet->payload)) return summary_of_ip(*ip);
  return fmt::format("EtherType {:#06x}, {} bytes", ethernet->type, ethernet->payload.size());
}

}  // namespace knetsim::packet
