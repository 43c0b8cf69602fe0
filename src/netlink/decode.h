#pragma once

#include <linux/netlink.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/channel.h"
#include "knetsim/netlink/conntrack.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/netlink/route.h"

namespace knetsim::netlink {

// From an RTM_NEW* or RTM_DEL* message, of which nothing but nlmsg_len bytes is touched. Throws Error (EBADMSG) if it
// is cut off or malformed; nullopt if it is well-formed but of a family or a kind that this layer doesn't show.

/// AF_BRIDGE messages are left out: they tell of a port, and their RTM_DELLINK doesn't mean that the link is gone.
std::optional<Link> decode_link(const nlmsghdr* message);
std::optional<InterfaceAddress> decode_address(const nlmsghdr* message);
/// Cached (cloned) routes and other families than IPv4 and IPv6 are left out.
std::optional<Route> decode_route(const nlmsghdr* message);
std::optional<Neighbour> decode_neighbour(const nlmsghdr* message);
/// AF_BRIDGE only.
std::optional<FdbEntry> decode_fdb(const nlmsghdr* message);
/// From IPCTNL_MSG_CT_NEW.
std::optional<Flow> decode_flow(const nlmsghdr* message);

/// What `decode` makes of the messages of a whole dump, as far as it is `wanted`.
template <typename Object, typename Wanted>
std::vector<Object> list(Socket& socket, const nlmsghdr& request, const std::string& tried,
                         std::optional<Object> (*decode)(const nlmsghdr*), Wanted wanted) {
  std::vector<Object> objects;
  socket.channel().dump(
      request, tried, [&] { objects.clear(); },
      [&](const nlmsghdr* reply) {
        auto object = decode(reply);
        if (object && wanted(*object)) objects.push_back(std::move(*object));
      });
  return objects;
}

}  // namespace knetsim::netlink
