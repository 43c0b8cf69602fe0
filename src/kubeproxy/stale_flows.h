#pragma once

#include <vector>

#include "knetsim/kubeproxy/service.h"
#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {

/// Stops tracking the flows to the services that differ between `before` and `now` which the rules of `now` wouldn't
/// have made; see Proxy::apply. Throws netlink::Error.
void forget_stale_flows(const NetNs& netns, const std::vector<Service>& before, const std::vector<Service>& now);

}  // namespace knetsim::kubeproxy
