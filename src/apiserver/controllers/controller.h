#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "write.h"

namespace knetsim::controllers {

/// One object that has changed: null is one that isn't there.
struct Change {
  const kube::Kind& kind;
  const json* before = nullptr;
  const json* now = nullptr;

  bool is(const kube::Kind& wanted) const { return &kind == &wanted; }
  const json& either() const { return now != nullptr ? *now : *before; }
};

/// A rule that holds for each of its keys, and how to make it hold. Without I/O: what it says is done elsewhere.
struct Controller {
  std::string_view name;  ///< as kube-controller-manager calls it
  /// The keys that must be looked at because of a change.
  void (*concerns)(const View& view, const Change& change, std::set<std::string>& keys);
  /// A key that there is nothing of is no error.
  Decision (*decide)(const View& view, const std::string& key);
};

extern const Controller kEndpointSlices;   ///< in endpoint_slices.cpp
extern const Controller kNamespaces;       ///< in namespaces.cpp
extern const Controller kGarbage;          ///< in garbage.cpp
extern const Controller kScheduler;        ///< in scheduler.cpp
extern const Controller kReplicaSets;      ///< in replica_sets.cpp
extern const Controller kDeployments;      ///< in deployments.cpp
extern const Controller kDaemonSets;       ///< in daemon_sets.cpp
extern const Controller kStatefulSets;     ///< in stateful_sets.cpp
extern const Controller kServiceAccounts;  ///< in service_accounts.cpp
extern const Controller kJobs;             ///< in jobs.cpp

/// All of them; in controllers.cpp.
std::span<const Controller* const> controllers();

}  // namespace knetsim::controllers
