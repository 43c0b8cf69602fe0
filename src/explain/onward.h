#pragma once

#include <vector>

#include "journey.h"
#include "knetsim/emulator/emulation.h"
#include "witnesses.h"

namespace knetsim::explain {

/// Nodes to which a packet went on and that nobody watches: those at the other end of the link that it left by, if
/// they have the MAC address that it left for.
std::vector<Place> taken_elsewhere(Emulation& emulation, const Journey& journey, const std::vector<Place>& watched);

}  // namespace knetsim::explain
