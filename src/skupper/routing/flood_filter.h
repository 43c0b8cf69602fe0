#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace knetsim::skupper::routing {

/// Tells the copies of a flooded message, which come over every path through the network, from the first one. Only the
/// first is passed on: in a mesh the copies would multiply with each path.
class FloodFilter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// True for a message that wasn't seen within the last second: who floods it, and all that follows the annotations.
  bool is_new(const std::string& ingress, std::string_view payload, TimePoint now);

 private:
  std::map<std::size_t, TimePoint> seen_;  ///< by hash
};

}  // namespace knetsim::skupper::routing
