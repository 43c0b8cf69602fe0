#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "write.h"

namespace knetsim::controllers {

// What the controllers of Pods have in common.

/// Of a pod of a DaemonSet or StatefulSet: which template it was made of.
inline constexpr auto kRevisionLabel = "controller-revision-hash";

/// Its pods have neither ended nor been told to.
bool is_active(const json& pod);
bool is_pod_ready(const json& pod);
/// Ready for `min_ready` seconds.
bool is_pod_available(const json& pod, std::int64_t min_ready, kube::Time now);
/// The time after which the first of these that are ready becomes available; nullopt if none is about to.
std::optional<std::chrono::seconds> next_available(const std::vector<const json*>& pods, std::int64_t min_ready,
                                                   kube::Time now);

/// A Pod made of a PodTemplateSpec, controlled by `owner`.
json pod_of_template(const json& owner, const json& pod_template, const std::string& name);

/// The objects that a selector claims: those that it controls, and others that match and that nobody controls, which
/// are adopted; those that no longer match are released. The writes for it come first.
std::vector<const json*> claim(const View& view, const kube::Kind& kind, const json& owner, std::vector<Write>& writes);

struct Change;
/// The key of the object of that kind which controls a pod that has changed; for a pod without a controller, of all
/// that select it.
void add_controller_key(const View& view, const Change& change, const kube::Kind& kind, std::set<std::string>& keys);

/// Those that go first when there are too many, first.
void sort_for_deletion(std::vector<const json*>& pods, kube::Time now);

/// Ten lower-case letters and digits that change with the value, as pod-template-hash has them.
std::string hash_name(const json& value, std::int64_t collisions);

/// The counts that a status must have; zero ones are left out. True if `status` had others.
bool put_counts(json& status, const std::vector<std::pair<const char*, std::int64_t>>& counts);

/// "25%" of `total`, or the number itself.
std::int64_t int_or_percent(const json& value, std::int64_t total, bool round_up);

}  // namespace knetsim::controllers
