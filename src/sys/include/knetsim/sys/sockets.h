#pragma once

#include <chrono>
#include <cstdint>
#include <set>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// The TCP ports, of either family and on any address, that somebody listens on in this namespace
/// (/proc/net/tcp and tcp6, see proc(5)).
std::set<std::uint16_t> listening_tcp_ports(const NetNs& netns);

}  // namespace knetsim
