#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/parts/program.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::parts {

/// Where and how a daemon is to run. `netns` must outlive it.
struct LaunchSpec {
  Program program = {};
  std::vector<std::string> arguments = {};
  const NetNs* netns = nullptr;
  std::filesystem::path directory = {};  ///< cwd and HOME; made if absent
  std::filesystem::path log = {};        ///< appended to, no link is followed; the parent must exist
  std::vector<FdView> kept = {};         ///< as Process::spawn()
};

/// Starts it in a session of its own and returns at once: knetsim/sys/ready.h has how to wait for it. What it writes to
/// the log comes after a line with its version and arguments.
Process launch(const LaunchSpec& spec);

}  // namespace knetsim::parts
