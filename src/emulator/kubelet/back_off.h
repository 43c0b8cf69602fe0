#pragma once

#include <algorithm>
#include <chrono>

namespace knetsim::kubelet {

using Instant = std::chrono::steady_clock::time_point;

/// How long a container that ended waits for its next start: not at all the first time, then 10 s, 20 s, up to five
/// minutes; after ten minutes without a start it begins anew. Source: k8s.io/client-go/util/flowcontrol/backoff.go.
class BackOff {
 public:
  static constexpr std::chrono::seconds kFirst{10};
  static constexpr std::chrono::seconds kLongest{300};

  std::chrono::seconds delay() const noexcept { return delay_; }
  /// When it may start, after it ended then.
  Instant due(Instant ended) const noexcept { return is_forgotten(ended) ? ended : ended + delay_; }
  /// It is started now.
  void start(Instant now) noexcept {
    delay_ = delay_.count() == 0 || is_forgotten(now) ? kFirst : std::min(2 * delay_, kLongest);
    last_ = now;
  }

 private:
  bool is_forgotten(Instant now) const noexcept { return now - last_ > 2 * kLongest; }

  std::chrono::seconds delay_{0};
  Instant last_{};
};

}  // namespace knetsim::kubelet
