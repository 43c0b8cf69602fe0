#pragma once

#include <linux/rtnetlink.h>

#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

// A Network is no type of this namespace, so that ours would hide the one that writes it.
using knetsim::to_string;

struct NextHop {
  std::optional<Address> gateway = {};
  int interface = 0;
  bool onlink = false;
  unsigned weight = 1;

  bool operator==(const NextHop&) const = default;
};

/// A route as in ip-route(8). In a request, what is left at its default is the kernel's or ip's default.
struct Route {
  Network destination;                  ///< 0.0.0.0/0 and ::/0 are the default routes
  std::optional<Address> gateway = {};  ///< "via"
  int interface = 0;                    ///< "dev"; 0: none (blackhole), or found by the gateway
  bool onlink = false;                  ///< the gateway needs no route of its own
  std::optional<Address> source = {};   ///< "src": preferred source address
  unsigned table = RT_TABLE_MAIN;
  unsigned protocol = RTPROT_BOOT;
  std::optional<unsigned> scope = {};  ///< RT_SCOPE_*; default: host, link or universe as ip(8) derives it
  unsigned metric = 0;                 ///< 0 in a request: default (IPv6: 1024)
  unsigned type = RTN_UNICAST;
  std::vector<NextHop> hops = {};  ///< of a multipath route; then gateway and interface are unset

  bool operator==(const Route&) const = default;
};

/// "11.20.0.0/20 via 11.20.0.0 dev 7 onlink", for messages.
std::string to_string(const Route& route);

/// Throws Error (EEXIST) if a route to that destination with that metric is there.
void add_route(Socket& socket, const Route& route);
/// Adds it, or takes the place of the route with the same destination, table and metric.
void replace_route(Socket& socket, const Route& route);
/// Removes the first route that matches all that is set (RTPROT_BOOT, the default, stands for any protocol). Absent is
/// no error.
void delete_route(Socket& socket, const Route& route);
/// Of one family (AF_UNSPEC: both), of one table (RT_TABLE_UNSPEC: of all). The kernel's cached ones are left out.
std::vector<Route> list_routes(Socket& socket, int family = 0, unsigned table = RT_TABLE_MAIN);
/// The route that a packet to `to` would take now (`ip route get`); nullopt if there is none.
std::optional<Route> lookup_route(Socket& socket, const Address& to);

}  // namespace knetsim::netlink
