#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "knetsim/kube/time.h"

namespace knetsim::kube {

// Labels of a slice: its service, and who keeps it.
inline constexpr auto kServiceNameLabel = "kubernetes.io/service-name";
inline constexpr auto kManagedByLabel = "endpointslice.kubernetes.io/managed-by";
inline constexpr auto kSliceManager = "endpointslice-controller.k8s.io";
/// Of a node.
inline constexpr auto kZoneLabel = "topology.kubernetes.io/zone";

/// What must be done so that the slices of a service are as they should be.
struct SliceChanges {
  std::vector<nlohmann::json> create;  ///< with generateName
  std::vector<nlohmann::json> update;  ///< with the name and resourceVersion of the one they replace
  std::vector<std::string> remove;     ///< names

  bool empty() const noexcept { return create.empty() && update.empty() && remove.empty(); }
};

struct SliceInput {
  const nlohmann::json& service;
  std::span<const nlohmann::json> pods;      ///< of its namespace; those that its selector doesn't match are left out
  std::span<const nlohmann::json> nodes;     ///< for zones
  std::span<const nlohmann::json> existing;  ///< of the service, managed by this controller
  Time now = {};
  std::size_t largest = 100;  ///< endpoints of one slice
};

/// As the endpointslice controller of Kubernetes makes them: one set of slices for each address family and each set of
/// ports (named target ports may differ from pod to pod), with as few changes as will do. A service without a selector
/// has none. Source: k8s.io/endpointslice.
SliceChanges slice_changes(const SliceInput& input);

/// The Endpoints object (v1) of a service, for those who still read it.
nlohmann::json endpoints_of(const nlohmann::json& service, std::span<const nlohmann::json> pods);

}  // namespace knetsim::kube
