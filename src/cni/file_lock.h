#pragma once

#include <filesystem>

#include "knetsim/sys/fd.h"

namespace knetsim::cni {

/// Waits for its turn: holds flock(2) on the file, which is made if need be, until the descriptor is closed. Excludes
/// other threads as well as other processes.
Fd lock_file(const std::filesystem::path& path);

}  // namespace knetsim::cni
