#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "knetsim/sys/error.h"

namespace knetsim {

/// A condition that didn't come true within its budget. missing() is the closest mismatch seen last.
class StillMissing : public Error {
 public:
  StillMissing(std::string missing, std::chrono::milliseconds budget);
  const std::string& missing() const noexcept { return missing_; }

 private:
  std::string missing_;
};

/// What is still missing, in words; nullopt when nothing is.
using Probe = std::function<std::optional<std::string>()>;

inline constexpr std::chrono::milliseconds kDefaultBudget{10'000};

/// Polls `probe` with a delay that doubles from 1 ms to 100 ms. Throws StillMissing when the budget ends. For states
/// that no event announces; where the kernel or a file tells, wait for that instead.
void eventually(const Probe& probe, std::chrono::milliseconds budget = kDefaultBudget);

}  // namespace knetsim
