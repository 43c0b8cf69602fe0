#pragma once

#include <map>
#include <string>

#include "knetsim/sys/netns.h"
#include "observed.h"

namespace knetsim::explain {

/// What the namespace's stack and links have counted: "Ip.InNoRoutes", "TcpExt.ListenOverflows", "eth0.tx_dropped",
/// "conntrack.drop".
std::map<std::string, long> counters_of(const NetNs& netns);

/// Links, addresses, neighbours, FDB, routes, sockets that listen, and what forwards and filters.
PlaceFacts facts_of(const NetNs& netns, const std::string& name);

/// What rules read like, as nft(8) lists them, without the elements of sets.
std::map<std::pair<std::string, std::uint64_t>, std::string> rules_of(const NetNs& netns);

}  // namespace knetsim::explain
