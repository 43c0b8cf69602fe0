#include <array>

#include "controller.h"

namespace knetsim::controllers {

std::span<const Controller* const> controllers() {
  static constexpr std::array<const Controller*, 10> kAll{
      &kEndpointSlices, &kNamespaces, &kGarbage,      &kScheduler,       &kReplicaSets,
      &kDeployments,    &kDaemonSets, &kStatefulSets, &kServiceAccounts, &kJobs};
  return kAll;
}

}  // namespace knetsim::controllers
