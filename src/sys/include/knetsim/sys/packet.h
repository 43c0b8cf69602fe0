#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "knetsim/sys/network.h"

/// Views of a captured packet, one header at a time. Each parser reads the header at the start of its bytes and
/// leaves what follows in `payload`, a view of the same bytes. A header that isn't whole, that contradicts itself or
/// that claims more than was captured gives nullopt: nothing is read past the end.
namespace knetsim::packet {

using Bytes = std::span<const std::uint8_t>;

/// IEEE 802.3 framing, without the checksum. 802.1Q tags are skipped.
struct Ethernet {
  std::array<std::uint8_t, 6> destination;
  std::array<std::uint8_t, 6> source;
  std::uint16_t type;  ///< ETH_P_IP, ETH_P_IPV6, ETH_P_ARP ...
  Bytes payload;
};
std::optional<Ethernet> parse_ethernet(Bytes frame);

/// IPv4 (RFC 791) or IPv6 (RFC 8200) with its extension headers skipped.
struct Ip {
  Address source;
  Address destination;
  std::uint8_t hop_limit;  ///< IPv4: time to live
  bool dont_fragment;      ///< always true for IPv6: routers don't fragment it
  bool fragment;           ///< one piece of a datagram that was cut
  std::uint8_t protocol;   ///< IPPROTO_UDP ... of the payload
  Bytes payload;           ///< as long as the header says: without an Ethernet frame's padding
};
std::optional<Ip> parse_ip(Bytes packet);

/// RFC 768.
struct Udp {
  std::uint16_t source_port;
  std::uint16_t destination_port;
  Bytes payload;
};
std::optional<Udp> parse_udp(Bytes datagram);

/// RFC 9293.
struct Tcp {
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint8_t flags;  ///< FIN 1, SYN 2, RST 4, PSH 8, ACK 16
  Bytes payload;
};
std::optional<Tcp> parse_tcp(Bytes segment);

/// ICMP (RFC 792) and ICMPv6 (RFC 4443) share this start.
struct Icmp {
  std::uint8_t type;
  std::uint8_t code;
  Bytes payload;
};
std::optional<Icmp> parse_icmp(Bytes message);

/// RFC 7348. The payload is the inner Ethernet frame.
struct Vxlan {
  std::uint32_t vni;
  Bytes payload;
};
std::optional<Vxlan> parse_vxlan(Bytes datagram);

/// An Ethernet frame that carries VXLAN over UDP to `port`, taken apart to the inner frame.
struct Encapsulated {
  Ip outer;
  Udp udp;
  Vxlan vxlan;
  Ethernet inner;
};
std::optional<Encapsulated> parse_encapsulated(Bytes frame, std::uint16_t port = 8472);

/// The frame in one line, for a person: "10.0.0.3:41000 > 10.0.0.4:8472 UDP, VXLAN 100: 11.10.0.2 > 11.20.0.2 ICMP
/// 8/0".
std::string summary(Bytes frame);

}  // namespace knetsim::packet
