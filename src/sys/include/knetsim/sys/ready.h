#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim {

/// What a running program is waited for.
struct Readiness {
  std::string deed;               ///< what it has done by then: "listened on 80"
  Probe probe;                    ///< says what is missing: "httpd listening on 80"
  std::filesystem::path watched;  ///< a file or a directory: each change in it is a reason to look again (inotify(7))
  std::chrono::milliseconds look_again = std::chrono::hours(1);  ///< and so is the end of this time
};

/// Waits until the probe says that nothing is missing. Throws StillMissing when the budget ends, or at once Error if
/// the program has ended, both with the end of its log.
void wait_until_ready(Process& process, const Readiness& readiness, std::chrono::milliseconds budget = kDefaultBudget);

/// The TCP ports, of either family and on any address, that somebody listens on in this namespace
/// (/proc/net/tcp and tcp6, see proc(5)).
std::set<std::uint16_t> listening_tcp_ports(const NetNs& netns);

/// Waits until all of these ports are listened on, which is up to `process`. Throws StillMissing, or at once Error if
/// that has ended, both with the end of its log.
void wait_until_listening(Process& process, const NetNs& netns, const std::set<std::uint16_t>& ports,
                          std::chrono::milliseconds budget = kDefaultBudget);

}  // namespace knetsim
