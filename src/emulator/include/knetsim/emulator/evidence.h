#pragma once

#include <filesystem>

#include "knetsim/emulator/emulation.h"

namespace knetsim {

/// Writes what every node looks like to `directory`: for each node, and for the switches
/// ("underlay"), links, addresses, routes, neighbours, FDB, the nft ruleset with counters, connections and, for those
/// that have one, the logs; and topology.json, what hangs on what. Throws SystemError or filesystem_error if it can't
/// be written; a program that fails is evidence too.
void save_evidence(Emulation& emulation, const std::filesystem::path& directory);

}  // namespace knetsim
