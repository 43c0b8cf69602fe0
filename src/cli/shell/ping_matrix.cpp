#include "ping_matrix.h"

#include <deque>
#include <future>

namespace knetsim::cli::shell {

namespace {

constexpr std::size_t kAtOnce = 32;
// Seconds: also on a machine that is short of time, an echo reply comes sooner.
constexpr const char* kPatience = "3";

bool answers(const Node& from, const Node& to) {
  return from.exec({"ping", "-n", "-q", "-c", "1", "-W", kPatience, to.address().to_string()}).ok();
}

}  // namespace

PingMatrix ping_all(const std::vector<Node*>& nodes, const std::function<bool()>& stop) {
  PingMatrix matrix(nodes.size(), std::vector<std::optional<bool>>(nodes.size()));
  struct Flying {
    std::optional<bool>* cell;
    std::future<bool> answer;
  };
  std::deque<Flying> flying;
  const auto land = [&] {
    *flying.front().cell = flying.front().answer.get();
    flying.pop_front();
  };
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      if (i == j) continue;
      matrix[i][j] = false;
      if (stop()) continue;
      if (flying.size() == kAtOnce) land();
      flying.push_back({&matrix[i][j], std::async(std::launch::async,
                                                  [from = nodes[i], to = nodes[j]] { return answers(*from, *to); })});
    }
  while (!flying.empty()) land();
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
