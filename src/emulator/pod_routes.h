#pragma once

#include <string>
#include <vector>

#include "knetsim/cni/result.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// What leads a pod on this bridge to its neighbours on it by way of the gateway, which is the worker: the worker's
/// packet filter sees what they say to each other, both ways, whatever the kernel's br_netfilter does. Without an
/// interface; the way to the gateway comes first. Empty if the pod is on no such bridge.
std::vector<netlink::Route> routes_to_neighbours(const cni::Result& network, const std::string& bridge);

/// Writes them into the pod. Throws netlink::Error.
void route_to_neighbours(const NetNs& pod, const std::string& interface, const std::vector<netlink::Route>& routes);

/// A worker that sends a packet back through the bridge that it came from must not say that there is a shorter way.
void send_no_redirects(const NetNs& worker);

}  // namespace knetsim
