#include "probe_state.h"

#include <algorithm>

#include "knetsim/kube/access.h"

namespace knetsim::kubelet {

namespace {

constexpr std::chrono::milliseconds kFirstEagerLook{100};

std::int64_t probe_number(const nlohmann::json& probe, const char* name, std::int64_t otherwise) {
  const auto value = kube::number_at(probe, name);
  return value > 0 ? value : otherwise;
}

}  // namespace

ProbeRules ProbeRules::of(const nlohmann::json& probe) {
  const auto seconds = [&](const char* name, std::int64_t otherwise) {
    return std::chrono::seconds(std::min<std::int64_t>(probe_number(probe, name, otherwise), 1'000'000));
  };
  const auto count = [&](const char* name, std::int64_t otherwise) {
    return static_cast<int>(std::min<std::int64_t>(probe_number(probe, name, otherwise), 1'000'000));
  };
  return {.delay = seconds("initialDelaySeconds", 0),
          .period = seconds("periodSeconds", 10),
          .timeout = seconds("timeoutSeconds", 1),
          .successes = count("successThreshold", 1),
          .failures = count("failureThreshold", 3)};
}

ProbeState::ProbeState(ProbeKind kind, const ProbeRules& rules, Instant started)
    : rules_(rules),
      kind_(kind),
      holds_(kind == ProbeKind::liveness),
      counted_(started + rules.delay),
      eager_(kind == ProbeKind::liveness ? std::chrono::milliseconds(0) : kFirstEagerLook),
      next_(counted_) {}

bool ProbeState::record(bool success, Instant now) {
  const bool before = holds_;
  const bool counts = now >= counted_;
  if (counts) counted_ = counted_ + rules_.period > now ? counted_ + rules_.period : now + rules_.period;
  if (success) {
    failures_ = 0;
    if (++successes_ >= rules_.successes) holds_ = true;
    eager_ = {};
  } else {
    successes_ = 0;
    if (counts && ++failures_ >= rules_.failures) {
      holds_ = false;
      failed_ = kind_ != ProbeKind::readiness;
    }
  }
  next_ = counted_;
  if (eager_.count() > 0 && eager_ < rules_.period) {
    next_ = std::min(counted_, now + eager_);
    eager_ *= 2;
  }
  return holds_ != before;
}

}  // namespace knetsim::kubelet
