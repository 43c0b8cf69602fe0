#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/explain/explanation.h"
#include "knetsim/sys/packet.h"

namespace knetsim::explain {

/// From where to where a packet says that it goes; the ports of ICMP are 0.
struct Ends {
  Address source;
  Address destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  bool operator==(const Ends&) const = default;
  Ends reversed() const { return {destination, source, destination_port, source_port}; }
};
/// "11.13.0.2:41022 > 100.64.10.1:80"
std::string to_string(const Ends& ends);

/// What tells a packet from all others, on all of its way: NAT changes neither the payload nor a sequence number.
struct Identity {
  std::optional<std::uint64_t> nonce = {};     ///< the first bytes of what UDP and ICMP echoes carry
  std::optional<std::uint32_t> sequence = {};  ///< of TCP
};

/// A packet of IP, of what explains it.
struct Packet {
  Ends ends;
  Protocol protocol = Protocol::icmp;
  std::uint16_t ip_id = 0;  ///< IPv4
  std::uint16_t length = 0;
  std::uint8_t hop_limit = 0;
  bool dont_fragment = false;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  std::uint16_t next_mtu = 0;  ///< of an ICMP error that says "too big"
  std::uint8_t tcp_flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledged = 0;
  std::optional<std::uint64_t> nonce = {};
  /// Of an ICMP error: what it complains of.
  std::optional<Identity> quoted = {};
  std::optional<Ends> quoted_ends = {};
};

/// From the network header on, as much as there is: a trace shows no more than 20 bytes behind it. nullopt if it isn't
/// one of the three protocols, or a later fragment. Reads nothing past the end.
std::optional<Packet> decode_packet(packet::Bytes network, packet::Bytes transport);
std::optional<Packet> decode_packet(packet::Bytes ip);
/// In words: "tcp syn", "icmp echo request", "udp", "icmp fragmentation needed (mtu 1400)".
std::string what_of(const Packet& packet);

/// What was wrapped around a packet.
struct Outer {
  Ends ends;
  std::uint16_t ip_id = 0;
  std::uint32_t vni = 0;
  std::uint16_t length = 0;
};

/// A frame, taken out of VXLAN where it is one of VXLAN to one of these ports.
struct Frame {
  std::array<std::uint8_t, 6> source{};
  std::array<std::uint8_t, 6> destination{};
  Packet packet;
  std::optional<Outer> outer = {};
};
std::optional<Frame> decode_frame(packet::Bytes frame, const std::vector<std::uint16_t>& vxlan_ports);

/// The id of a probe's echo request. Of two questions at once each has its own: connection tracking tells echoes apart
/// by it alone.
std::uint16_t echo_id_of(std::uint64_t nonce);

/// Which part of the conversation a packet is.
enum class Part { request, answer, complaint };

/// Recognizes the packets of one probe, and learns how NAT changes them: show it those that come first first.
class Recognizer {
 public:
  /// `sent` is the probe as its socket sent it. The TCP sequence number is learnt from the first packet that looks like
  /// it.
  Recognizer(Protocol protocol, std::uint64_t nonce, Ends sent);
  std::optional<Part> part_of(const Packet& packet);

 private:
  bool is_known(const Ends& ends) const;

  Protocol protocol_;
  std::uint64_t nonce_;
  std::optional<std::uint32_t> sequence_;
  std::vector<Ends> forms_;  // of the request
};

}  // namespace knetsim::explain
