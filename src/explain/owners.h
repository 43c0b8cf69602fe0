#pragma once

#include <string>

#include "knetsim/emulator/emulation.h"
#include "observed.h"

namespace knetsim::explain {

/// "C0w2" of "C0w2/c2", and of "C0w2".
std::string host_of(const std::string& name);

/// The cluster of a node or container; nullptr: none's.
Cluster* home_of(Emulation& emulation, const std::string& name);

/// Nodes by address. Different clusters may have the same virtual address, and the same pod addresses: those of the
/// source's own cluster count.
Owners owners_for(Emulation& emulation, const std::string& from);

}  // namespace knetsim::explain
