#pragma once

#include <optional>
#include <string>
#include <vector>

#include "knetsim/emulator/emulation.h"

namespace knetsim::cli::shell {

/// Who reached whom with one echo request: answered[from][to], nullopt for oneself.
using PingMatrix = std::vector<std::vector<std::optional<bool>>>;

/// All pings side by side, some dozens at a time. `stop` is asked in between; then what is left counts as unanswered.
PingMatrix ping_all(const std::vector<Node*>& nodes, const std::function<bool()>& stop);

/// The number of true cells, and of all that aren't empty.
struct PingCount {
  std::size_t answered = 0;
  std::size_t sent = 0;
};
PingCount count(const PingMatrix& matrix);

}  // namespace knetsim::cli::shell
