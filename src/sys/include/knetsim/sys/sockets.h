#pragma once

#include <chrono>
#include <cstdint>
#include <set>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim {

/// The TCP ports, of either family and on any address, that somebody listens on in this namespace
/// (/proc/net/tcp and tcp6, see proc(5)).
std::set<std::uint16_t> listening_tcp_ports(const NetNs& netns);

/// Waits until all of these ports are listened on, which is up to `process`. Throws StillMissing, or at once Error if
/// that has ended, both with the end of its log.
void wait_until_listening(Process& process, const NetNs& netns, const std::set<std::uint16_t>& ports,
                          std::chrono::milliseconds budget = kDefaultBudget);

}  // namespace knetsim
