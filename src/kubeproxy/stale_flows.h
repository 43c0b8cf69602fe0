#pragma once

#include <map>
#include <set>

#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"

namespace knetsim::kubeproxy {

/// Who answers for each address of which that has changed; nobody, for one that isn't served any more.
using Answering = std::map<Address, std::set<Address>>;

/// Stops tracking the flows to these addresses which the rules of now wouldn't have made; see VipProxy::apply. Throws
/// netlink::Error.
void forget_stale_flows(const NetNs& netns, const Answering& changed);

}  // namespace knetsim::kubeproxy
