#pragma once

#include "knetsim/explain/explain.h"

namespace knetsim::explain {

/// Where a packet would go as tables say it, from node to node: routes, links, neighbours, FDB, Services, listeners.
/// Nothing is sent and nothing changed. What the packet filter would do is told, not tried: who only looks can't know.
Explanation look(Emulation& emulation, const Question& question);

}  // namespace knetsim::explain
