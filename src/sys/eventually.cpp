#include "knetsim/sys/eventually.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace knetsim {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

StillMissing::StillMissing(std::string missing, milliseconds budget)
    : Error(fmt::format("after {} s still missing: {}", static_cast<double>(budget.count()) / 1000, missing)),
      missing_(std::move(missing)) {}

void eventually(const Probe& probe, milliseconds budget) {
  const auto deadline = steady_clock::now() + budget;
  milliseconds delay{1};
  for (;;) {
    const auto missing = probe();
    if (!missing) return;
    const auto now = steady_clock::now();
    if (now >= deadline) throw StillMissing(*missing, budget);
    std::this_thread::sleep_until(std::min(now + delay, deadline));
    delay = std::min(delay * 2, milliseconds{100});
  }
}

}  // namespace knetsim
