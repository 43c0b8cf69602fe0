#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/managed_fields.h"
#include "knetsim/kube/selector.h"

namespace knetsim::kube {

/// What only the server can give: it is handed in, so that these rules need no clock and no luck.
struct Birth {
  std::string ns;    ///< of the request; empty for kinds without
  std::string name;  ///< of the request's path, if it has one
  std::string uid;
  std::string suffix;  ///< five letters for generateName
  Time now = {};
  /// Whom managedFields name; nobody: they stay as they were sent, as what server_side_apply() has made is to be.
  std::optional<Author> author = {};
};

/// Five letters out of those that Kubernetes takes for generated names ("bcdfghjklmnpqrstvwxz2456789"), from any
/// number.
std::string name_suffix(std::uint64_t random);

/// From what a client sent (read_object) to what is stored: metadata, defaults, a status of its own only where the kind
/// has none to guard. Throws ApiError: 400 (name or namespace differ from the request's), 422, 500 (a resourceVersion).
/// `give` (for a Service: allocate()) is called before the object is checked, as upstream does: what was asked for and
/// is taken is told first. Without it, addresses and ports of a Service are given afterwards.
nlohmann::json prepare_create(const Kind& kind, nlohmann::json object, const Birth& birth,
                              const std::function<void(nlohmann::json& object)>& give = {});

/// From what a client sent, or a patch has made, to what replaces `old`: uid, creationTimestamp, deletionTimestamp and
/// status are those of `old`, generation grows with spec; of fields that may not change, a change is refused. A
/// resourceVersion other than that of `old` is 409, another uid too. Equal to `old` if nothing has changed: then
/// nothing is to be written. managedFields name the author, if there is one.
nlohmann::json prepare_update(const Kind& kind, const nlohmann::json& old, nlohmann::json object,
                              const std::optional<Author>& author = {});

/// The same for subresource status: all but status and metadata's managedFields is that of `old`.
nlohmann::json prepare_status_update(const Kind& kind, const nlohmann::json& old, nlohmann::json object,
                                     const std::optional<Author>& author = {});

/// Subresource ephemeralcontainers of pods: those alone, and only more of them.
nlohmann::json prepare_ephemeral_containers(const Kind& kind, const nlohmann::json& old, nlohmann::json object,
                                            const std::optional<Author>& author = {});

/// Subresource finalize of namespaces: spec alone.
nlohmann::json prepare_finalize(const Kind& kind, const nlohmann::json& old, nlohmann::json object);

/// Subresource binding: the pod on that node, with condition PodScheduled. Throws ApiError 409 if it has one, or is
/// being deleted.
nlohmann::json bound_pod(const Kind& kind, nlohmann::json pod, const std::string& node, Time now);

/// Subresource eviction: the pod with condition DisruptionTarget, in front of its deletion.
nlohmann::json evicted_pod(nlohmann::json pod, Time now);

// Subresource scale (autoscaling/v1 Scale) of kinds that have one.
nlohmann::json scale_of(const Kind& kind, const nlohmann::json& object);
/// What replaces `old`, with the replicas of the Scale. Throws ApiError 409, 422.
nlohmann::json with_scale(const Kind& kind, const nlohmann::json& old, const nlohmann::json& scale,
                          const std::optional<Author>& author = {});
/// The same of a Scale that is applied: its author owns spec.replicas from then on. Throws ApiError 400, 409, 422.
nlohmann::json with_applied_scale(const Kind& kind, const nlohmann::json& old, const nlohmann::json& config,
                                  const Author& author, bool force);

/// Where an object stands in front of its deletion.
struct Deletion {
  bool now = false;       ///< it goes at once; else `object` is what stays
  nlohmann::json object;  ///< with deletionTimestamp and deletionGracePeriodSeconds
};
struct DeleteOptions {
  std::optional<std::int64_t> grace_seconds = {};
  std::string propagation = {};  ///< "", Background, Foreground, Orphan
};
/// Finalizers, grace of pods that have a node, phase Terminating of namespaces.
Deletion prepare_delete(const Kind& kind, nlohmann::json object, const DeleteOptions& options, Time now);
/// The answer to a DELETE of what goes at once: the object, or for most kinds a Status (Kind::returns_deleted).
nlohmann::json answer_to_deletion(const Kind& kind, const nlohmann::json& object);
/// Whether an update leaves nothing that holds it: a deletionTimestamp, no finalizers, no grace.
bool is_gone(const Kind& kind, const nlohmann::json& object);

}  // namespace knetsim::kube
