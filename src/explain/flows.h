#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

/// UDP flows to this address and port that are translated to addresses for which `gone` holds. A flow keeps its
/// translation for as long as packets of it come, whatever rules say by then; a probe, with a port of its own, meets
/// none of them. Empty where connection tracking can't be read.
std::vector<netlink::Flow> flows_to_the_gone(const Place& place, const Address& to, std::uint16_t port,
                                             const std::function<bool(const Address&)>& gone);

}  // namespace knetsim::explain
