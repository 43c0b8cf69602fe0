#pragma once

#include <functional>

#include "knetsim/flannel/config.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"

namespace knetsim::flannel {

/// Removes the routes to subnets of `range` through a gateway on the underlay's link `interface` that nobody wants any
/// more: what an earlier daemon left there for peers that went while none was running. Routes of routing protocols, and
/// those to other destinations, are somebody else's.
void forget_plain_routes(netlink::Socket& socket, int interface, const SubnetRange& range,
                         const std::function<bool(const netlink::Route&)>& wanted);

}  // namespace knetsim::flannel
