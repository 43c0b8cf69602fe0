#pragma once

#include <array>
#include <string>
#include <string_view>

namespace knetsim::explain {

/// What became of a packet: a closed list. The words are upper case on the console and in JSON.
enum class Disposition {
  delivered,
  refused,                   ///< somebody on the way said no (ICMP), and no rule of ours names why
  dropped_by_rule,           ///< a rule, or a base chain's policy, of the packet filter
  dropped_by_policy,         ///< a NetworkPolicy's rule
  no_route,                  ///< no route, or one that says no
  no_neighbour,              ///< a next hop or a VTEP that no ARP, NDP or FDB entry leads to
  link_down,                 ///< a link that is down, without carrier, loose or absent
  too_big,                   ///< longer than a link takes, and not to be fragmented
  rpfilter,                  ///< its source isn't to be reached by the link that it came by
  not_forwarding,            ///< it isn't for this node, which doesn't forward
  no_listener,               ///< nobody listens on the port
  wrong_bind,                ///< somebody does, on another address
  no_endpoint,               ///< a service that nobody stands behind
  local_policy_no_endpoint,  ///< traffic policy Local, and none on this node
  conntrack_full,            ///< connection tracking had no room
  bad_checksum,
  wrong_mac,     ///< the frame came to a node that it wasn't addressed to
  lost_on_wire,  ///< a queue or a shaper of a link dropped it
  name_not_found,
  unexplained,   ///< no witness names the cause
  disagreement,  ///< witnesses contradict each other
};

inline constexpr std::array kDispositions{Disposition::delivered,       Disposition::refused,
                                          Disposition::dropped_by_rule, Disposition::dropped_by_policy,
                                          Disposition::no_route,        Disposition::no_neighbour,
                                          Disposition::link_down,       Disposition::too_big,
                                          Disposition::rpfilter,        Disposition::not_forwarding,
                                          Disposition::no_listener,     Disposition::wrong_bind,
                                          Disposition::no_endpoint,     Disposition::local_policy_no_endpoint,
                                          Disposition::conntrack_full,  Disposition::bad_checksum,
                                          Disposition::wrong_mac,       Disposition::lost_on_wire,
                                          Disposition::name_not_found,  Disposition::unexplained,
                                          Disposition::disagreement};

/// "DROPPED_BY_RULE"
std::string_view word_of(Disposition disposition);

}  // namespace knetsim::explain
