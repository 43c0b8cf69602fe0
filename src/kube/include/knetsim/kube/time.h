#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::kube {

/// A moment as the API has it: whole seconds, UTC.
using Time = std::chrono::sys_seconds;

/// "2026-11-28T14:11:58Z"
std::string timestamp(Time time);
/// RFC 3339 with any offset; fractions of a second are cut. Nullopt for anything else.
std::optional<Time> parse_timestamp(std::string_view text);

/// As kubectl and the server print ages: "94s", "3m20s", "15m", "5h10m", "2d3h", "400d", "2y35d". Below zero by more
/// than a second:
/// "<invalid>". Source: k8s.io/apimachinery/pkg/util/duration.
std::string human_duration(std::chrono::seconds duration);
/// The age of what was made at that moment; "<unknown>" without one.
std::string age(std::string_view since, Time now);

}  // namespace knetsim::kube
