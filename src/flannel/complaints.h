#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace knetsim::flannel {

/// Warnings about what others have written, of which there may be any number: one line for each thing and reason, cut
/// to a bounded length, and no more than a few a minute; what was left out is counted in the next line.
class Complaints {
 public:
  using Clock = std::chrono::steady_clock;

  /// Logs `line` unless the same was said of `thing` before, or too much of late.
  void say(const std::string& thing, const std::string& line, Clock::time_point now = Clock::now());
  /// It is right again, or gone.
  void forget(const std::string& thing);

 private:
  bool may_say(Clock::time_point now);

  std::unordered_map<std::string, std::size_t> said_;  ///< things, with a hash of what is wrong with them
  std::size_t left_ = kBurst;
  std::size_t passed_over_ = 0;
  Clock::time_point refilled_ = Clock::now();

  static constexpr std::size_t kBurst = 50;
  static constexpr std::size_t kRemembered = 10'000;
};

}  // namespace knetsim::flannel
