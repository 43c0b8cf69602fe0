#pragma once

#include <cstdint>
#include <optional>

#include "knetsim/netlink/route.h"

namespace knetsim::netlink {

/// A packet that a routing table is asked about (`ip route get`). What is unset is the kernel's default.
struct RouteQuestion {
  Address to;
  std::optional<Address> from = {};
  int in = 0;  ///< index of the link that it came by; 0: it is the node's own
  std::uint32_t mark = 0;
  std::uint8_t protocol = 0;  ///< IPPROTO_*; the ports count with TCP and UDP alone
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

/// The route that such a packet takes, or why there is none.
struct RouteAnswer {
  /// ENETUNREACH: there is none. EHOSTUNREACH: an unreachable one, or a packet of somebody else's where forwarding is
  /// off. EACCES: a prohibiting one. EINVAL: a blackhole, or a source that rp_filter or the check for martians refuses.
  int error = 0;
  std::optional<Route> way = {};      ///< gateway, link and source, for this packet
  std::optional<Route> matched = {};  ///< the entry of the table (RTM_F_FIB_MATCH); absent where the kernel has no such
};

RouteAnswer ask_route(Socket& socket, const RouteQuestion& question);

}  // namespace knetsim::netlink
