#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/sys/child.h"

namespace knetsim::kubelet {

/// A directory or file that a container's programs find at a path.
struct Mount {
  std::filesystem::path from;
  std::string at;
  bool read_only = false;
};

/// What the programs of a container see: all the files of its worker, and its mounts, at paths that needn't be there.
/// What they are shown at is made below `room`, a directory of the container's alone, and on nothing of the host's.
/// Throws Error, which names the mount that can't be.
std::vector<Shown> view_with(const std::filesystem::path& room, std::vector<Mount> mounts);

}  // namespace knetsim::kubelet
