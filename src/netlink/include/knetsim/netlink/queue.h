#pragma once

#include <cstdint>
#include <map>

#include "knetsim/netlink/socket.h"

namespace knetsim::netlink {

/// How many packets the queues of each link (tc(8): queueing disciplines), by its index, have dropped so far.
std::map<int, std::uint64_t> packets_dropped_by_queues(Socket& socket);

}  // namespace knetsim::netlink
