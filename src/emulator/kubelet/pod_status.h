#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "knetsim/kube/time.h"
#include "knetsim/sys/network.h"
#include "lifecycle.h"

namespace knetsim::kubelet {

/// Where a pod stands, as far as its status tells of it.
struct PodPlace {
  std::vector<Address> addresses = {};  ///< empty: its network isn't there (yet)
  std::vector<Address> node_addresses = {};
  kube::Time since = {};  ///< when the kubelet took it
};

/// The types of the conditions that a kubelet reports.
inline constexpr std::array kOwnConditions{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady",
                                           "PodScheduled"};

/// The status that a kubelet reports of a pod: phase, conditions, addresses, its containers. What of its old conditions
/// still holds keeps its lastTransitionTime, and those of others (readiness gates) stay. To be sent as a merge patch.
nlohmann::json pod_status(const nlohmann::json& pod, const Lifecycle& lifecycle, const PodPlace& place, kube::Time now);

}  // namespace knetsim::kubelet
