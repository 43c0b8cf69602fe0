#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "knetsim/emulator/emulation.h"

namespace knetsim::cli::shell {

/// One echo request.
struct Ping {
  const Node* from;
  Address to;
};

bool answers(const Ping& ping);
/// All side by side, some dozens at a time: which were answered. `stop` is asked in between; then what is left counts
/// as unanswered.
std::vector<bool> send(const std::vector<Ping>& pings, const std::function<bool()>& stop);

/// The node's first address of a family.
std::optional<Address> first_of_family(const Node& node, bool v6);
/// nullptr if it is nobody's.
const Node* owner_of(const std::vector<Node*>& nodes, const Address& address);

/// Who reached whom with one echo request: answered[from][to], nullopt for oneself.
using PingMatrix = std::vector<std::vector<std::optional<bool>>>;

/// As send(), to everybody's main address.
PingMatrix ping_all(const std::vector<Node*>& nodes, const std::function<bool()>& stop);

/// The number of true cells, and of all that aren't empty.
struct PingCount {
  std::size_t answered = 0;
  std::size_t sent = 0;
};
PingCount count(const PingMatrix& matrix);

}  // namespace knetsim::cli::shell
