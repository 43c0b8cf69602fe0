#include "ping_matrix.h"

#include <algorithm>
#include <deque>
#include <future>

namespace knetsim::cli::shell {

namespace {

constexpr std::size_t kAtOnce = 32;
// Seconds: also on a machine that is short of time, an echo reply comes sooner.
constexpr const char* kPatience = "3";

}  // namespace

bool answers(const Ping& ping) {
  return ping.from->exec({"ping", "-n", "-q", "-c", "1", "-W", kPatience, ping.to.to_string()}).ok();
}

std::vector<bool> send(const std::vector<Ping>& pings, const std::function<bool()>& stop) {
  std::vector<bool> answered(pings.size());
  std::deque<std::future<bool>> flying;
  std::size_t landed = 0;
  const auto land = [&] {
    answered[landed++] = flying.front().get();
    flying.pop_front();
  };
  for (const auto& ping : pings) {
    if (stop()) break;
    if (flying.size() == kAtOnce) land();
    flying.push_back(std::async(std::launch::async, [ping] { return answers(ping); }));
  }
  while (!flying.empty()) land();
  return answered;
}

std::optional<Address> first_of_family(const Node& node, bool v6) {
  const auto& all = node.addresses();
  const auto found = std::find_if(all.begin(), all.end(), [v6](const Address& one) { return one.is_v6() == v6; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

const Node* owner_of(const std::vector<Node*>& nodes, const Address& address) {
  for (const auto* node : nodes)
    if (std::find(node->addresses().begin(), node->addresses().end(), address) != node->addresses().end()) return node;
  return nullptr;
}

PingMatrix ping_all(const std::vector<Node*>& nodes, const std::function<bool()>& stop) {
  std::vector<Ping> pings;
  for (const auto* from : nodes)
    for (const auto* to : nodes)
      if (from != to) pings.push_back({from, to->address()});
  const auto answered = send(pings, stop);
  PingMatrix matrix(nodes.size(), std::vector<std::optional<bool>>(nodes.size()));
  std::size_t next = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (i != j) matrix[i][j] = answered[next++];
  return matrix;
}

PingCount count(const PingMatrix& matrix) {
  PingCount result;
  for (const auto& row : matrix)
    for (const auto& cell : row) {
      if (!cell) continue;
      ++result.sent;
      if (*cell) ++result.answered;
    }
  return result;
}

}  // namespace knetsim::cli::shell
