#include <array>

#include "controller.h"

namespace knetsim::controllers {

std::span<const Controller* const> controllers() {
  static constexpr std::array<const Controller*, 6> kAll{&kEndpointSlices, &kNamespaces,  &kGarbage,
                                                         &kScheduler,      &kReplicaSets, &kDeployments};
  return kAll;
}

}  // namespace knetsim::controllers
