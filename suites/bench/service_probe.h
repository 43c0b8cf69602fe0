#pragma once

#include <cstdint>
#include <string>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"

namespace knetsim::bench {

/// A namespace in which every endpoint is somewhere (11.0.0.0/8, port 8080) and every cluster IP (10.96.0.0/16, port
/// 80) is routed: who connects to a service there is answered if the rules lead it to an endpoint, and only then.
class ServiceProbe {
 public:
  static constexpr std::uint16_t kServicePort = 80;
  static constexpr std::uint16_t kEndpointPort = 8080;
  static constexpr std::uint32_t kEndpoints = 3;  ///< of each service

  ServiceProbe();

  static Address service(std::uint32_t number);
  static Address endpoint(std::uint32_t service, std::uint32_t number);
  /// Where that is: one of a hundred nodes.
  static std::string node(std::uint32_t service, std::uint32_t number);

  const NetNs& netns() const noexcept { return netns_; }
  /// Connects to that service. Microseconds until it is answered; throws Error if it isn't, or by another's endpoint.
  double connect(std::uint32_t service) const;
  /// Throws Error unless the first, the middle and the last of so many services answer.
  void require_answers(std::uint32_t services) const;

 private:
  NetNs netns_;
  Fd listener_;
};

}  // namespace knetsim::bench
