#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "journey.h"
#include "knetsim/netlink/conntrack.h"
#include "witnesses.h"

namespace knetsim::explain {

/// What connection tracking remembers of the probes in this namespace, each with the number of its attempt; there it is
/// forgotten with this. Empty where it can't be read.
std::vector<std::pair<std::size_t, netlink::Flow>> take_flows(const Place& place, const std::vector<Attempt>& attempts,
                                                              const std::vector<Journey>& journeys);

}  // namespace knetsim::explain
