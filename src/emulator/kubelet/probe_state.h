#pragma once

#include <chrono>
#include <nlohmann/json.hpp>

#include "back_off.h"

namespace knetsim::kubelet {

enum class ProbeKind { startup, liveness, readiness };

/// A probe's thresholds and times, as the API server has filled them in.
struct ProbeRules {
  std::chrono::seconds delay{0};
  std::chrono::seconds period{10};
  std::chrono::seconds timeout{1};
  int successes = 1;
  int failures = 3;
  static ProbeRules of(const nlohmann::json& probe);
};

/// What the outcomes of a container's probe come to: liveness holds until it fails, readiness and startup hold only
/// when they have succeeded.
///
/// Until the first success, or for a period, readiness and startup are looked at more often than a kubelet does: 100 ms
/// after the start, 200 ms, 400 ms ...; a failure counts only where a kubelet would have looked, every period.
class ProbeState {
 public:
  ProbeState(ProbeKind kind, const ProbeRules& rules, Instant started);

  bool holds() const noexcept { return holds_; }
  /// When to look next.
  Instant next() const noexcept { return next_; }
  /// What was seen when it was due. Whether holds() has changed.
  bool record(bool success, Instant now);
  /// Of a liveness or startup probe: it has failed as often as it may, the container is to be restarted.
  bool failed() const noexcept { return failed_; }
  int failures() const noexcept { return failures_; }

 private:
  ProbeRules rules_;
  ProbeKind kind_;
  bool holds_;
  bool failed_ = false;
  int successes_ = 0;
  int failures_ = 0;
  Instant counted_;  ///< the next look that counts
  std::chrono::milliseconds eager_{0};
  Instant next_;
};

}  // namespace knetsim::kubelet
