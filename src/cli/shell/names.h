#pragma once

#include "knetsim/emulator/topology.h"

namespace knetsim::cli::shell {

/// Throws InputError, with the place in the topology, for a node that couldn't be reached at the prompt: its name is a
/// verb there. Adds a remark for one that is called like a program.
void check_names(Topology& topology);

}  // namespace knetsim::cli::shell
