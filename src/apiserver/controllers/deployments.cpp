// Deployments: one ReplicaSet for each template, the newest scaled up while the others are scaled down.
// Source of the rules: k8s.io/kubernetes/pkg/controller/deployment.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kDeploymentComponent = "deployment-controller";
constexpr auto kRevision = "deployment.kubernetes.io/revision";
constexpr auto kRevisionHistory = "deployment.kubernetes.io/revision-history";
constexpr auto kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr auto kMost = "deployment.kubernetes.io/max-replicas";
constexpr auto kHash = "pod-template-hash";

using Sets = std::vector<const json*>;

std::int64_t annotated(const json& object, const char* name) {
  const auto& text = kube::text_at(object, "metadata", "annotations", name);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::int64_t wanted(const json& object) { return kube::number_at(object, "spec", "replicas"); }
std::int64_t in_status(const json& object, const char* count) { return kube::number_at(object, "status", count); }

template <typename Count>
std::int64_t sum(const Sets& sets, Count count) {
  std::int64_t all = 0;
  for (const auto* set : sets) all += count(*set);
  return all;
}

json template_of(const json& object) {
  auto value = kube::member(object, "spec", "template");
  if (kube::member(value, "metadata", "labels").is_object()) value["metadata"]["labels"].erase(kHash);
  return value;
}

bool is_older(const json* a, const json* b) {
  const auto& first = kube::text_at(*a, "metadata", "creationTimestamp");
  const auto& second = kube::text_at(*b, "metadata", "creationTimestamp");
  return first != second ? first < second : kube::name_of(*a) < kube::name_of(*b);
}

struct Limits {
  std::int64_t replicas = 0;
  std::int64_t surge = 0;
  std::int64_t unavailable = 0;
  bool rolling = false;
};

Limits limits_of(const json& deployment) {
  Limits limits;
  limits.replicas = wanted(deployment);
  const auto& strategy = kube::member(deployment, "spec", "strategy");
  limits.rolling = kube::text_at(strategy, "type") == "RollingUpdate";
  if (!limits.rolling) return limits;
  limits.surge = int_or_percent(kube::member(strategy, "rollingUpdate", "maxSurge"), limits.replicas, true);
  limits.unavailable =
      int_or_percent(kube::member(strategy, "rollingUpdate", "maxUnavailable"), limits.replicas, false);
  if (limits.surge == 0 && limits.unavailable == 0) limits.unavailable = 1;
  limits.unavailable = std::min(limits.unavailable, limits.replicas);
  return limits;
}

/// One look at a Deployment and its ReplicaSets, and what is to be done.
class Rollout {
 public:
  Rollout(const View& view, const json& deployment)
      : view_(view), deployment_(deployment), limits_(limits_of(deployment)) {
    sets_ = claim(view, replica_sets(), deployment, decision_.writes);
    std::ranges::sort(sets_, is_older);
    const auto wanted_template = template_of(deployment);
    for (const auto* set : sets_)
      if (newest_ == nullptr && template_of(*set) == wanted_template) newest_ = set;
    for (const auto* set : sets_)
      if (set != newest_) old_.push_back(set);
  }

  Decision decide() {
    // What was adopted has another resourceVersion by now.
    if (!decision_.writes.empty()) return std::move(decision_);
    const bool paused = kube::bool_at(deployment_, "spec", "paused");
    if (!is_ending(deployment_)) {
      if (is_rescaled()) {
        rescale();
      } else if (!paused) {
        if (newest_ == nullptr && (limits_.rolling || !old_pods_run())) make_newest();
        if (newest_ != nullptr) keep_revision();
        if (decision_.writes.empty()) limits_.rolling ? roll() : recreate();
        if (decision_.writes.empty()) forget_old();
      }
    }
    if (decision_.writes.empty()) write_status(paused);
    return std::move(decision_);
  }

 private:
  json annotations_of_set(const json& set, std::int64_t replicas) const {
    auto annotations = kube::member(set, "metadata", "annotations");
    if (!annotations.is_object()) annotations = json::object();
    annotations[kDesired] = std::to_string(replicas);
    annotations[kMost] = std::to_string(replicas + limits_.surge);
    return annotations;
  }

  void tell(const char* reason, const std::string& message) {
    decision_.writes.push_back(event(view_, deployment_, kDeploymentComponent, "Normal", reason, message));
  }

  void scale(const json& set, std::int64_t replicas) {
    const auto annotations = annotations_of_set(set, limits_.replicas);
    if (wanted(set) == replicas && annotations == kube::member(set, "metadata", "annotations")) return;
    auto scaled = set;
    scaled["spec"]["replicas"] = replicas;
    scaled["metadata"]["annotations"] = annotations;
    decision_.writes.push_back(replace(replica_sets(), std::move(scaled)));
    if (wanted(set) == replicas) return;
    tell("ScalingReplicaSet",
         fmt::format("Scaled {} replica set {} from {} to {}", wanted(set) < replicas ? "up" : "down",
                     kube::name_of(set), wanted(set), replicas));
  }

  std::int64_t last_revision(const Sets& sets) const {
    std::int64_t last = 0;
    for (const auto* set : sets) last = std::max(last, annotated(*set, kRevision));
    return last;
  }

  /// Annotations of the Deployment that its sets have, too.
  json handed_on() const {
    json annotations = json::object();
    const auto& own = kube::member(deployment_, "metadata", "annotations");
    if (own.is_object())
      for (const auto& [key, value] : own.items())
        if (key != "kubectl.kubernetes.io/last-applied-configuration" &&
            !key.starts_with("deployment.kubernetes.io/") && !key.starts_with("deprecated.deployment"))
          annotations[key] = value;
    return annotations;
  }

  void make_newest() {
    const auto& pod_template = kube::member(deployment_, "spec", "template");
    const auto hash = hash_name(pod_template, in_status(deployment_, "collisionCount"));
    const auto name = kube::name_of(deployment_) + "-" + hash;
    if (view_.find(replica_sets(), kube::namespace_of(deployment_) + "/" + name) != nullptr) {
      // Another one's, or of another template: another name next time.
      auto changed = deployment_;
      changed["status"]["collisionCount"] = in_status(deployment_, "collisionCount") + 1;
      decision_.writes.push_back(replace_status(deployments(), std::move(changed)));
      return;
    }
    auto replicas = limits_.replicas;
    if (limits_.rolling)
      replicas = std::clamp<std::int64_t>(limits_.replicas + limits_.surge - sum(old_, wanted), 0, limits_.replicas);
    json set{{"apiVersion", "apps/v1"},
             {"kind", "ReplicaSet"},
             {"metadata",
              {{"name", name},
               {"namespace", kube::namespace_of(deployment_)},
               {"labels", kube::member(pod_template, "metadata", "labels")},
               {"annotations", handed_on()},
               {"ownerReferences", json::array({controller_reference(deployment_)})}}},
             {"spec",
              {{"replicas", replicas},
               {"selector", kube::member(deployment_, "spec", "selector")},
               {"template", pod_template}}}};
    if (const auto& seconds = kube::member(deployment_, "spec", "minReadySeconds"); seconds.is_number())
      set["spec"]["minReadySeconds"] = seconds;
    set["metadata"]["annotations"] = annotations_of_set(set, limits_.replicas);
    set["metadata"]["annotations"][kRevision] = std::to_string(last_revision(old_) + 1);
    set["metadata"]["labels"][kHash] = hash;
    set["spec"]["selector"]["matchLabels"][kHash] = hash;
    set["spec"]["template"]["metadata"]["labels"][kHash] = hash;
    decision_.writes.push_back(create(replica_sets(), std::move(set)));
    if (replicas > 0) tell("ScalingReplicaSet", fmt::format("Scaled up replica set {} from 0 to {}", name, replicas));
    made_ = name;
  }

  /// The newest set has the highest revision, also when it is an old one that has come back; the Deployment tells it.
  void keep_revision() {
    const auto revision = std::max(last_revision(old_) + 1, annotated(*newest_, kRevision));
    auto annotations = kube::member(*newest_, "metadata", "annotations");
    if (!annotations.is_object()) annotations = json::object();
    const auto before = annotations;
    if (annotated(*newest_, kRevision) != revision) {
      if (const auto& old = kube::text_at(before, kRevision); !old.empty()) {
        const auto& history = kube::text_at(before, kRevisionHistory);
        annotations[kRevisionHistory] = history.empty() ? old : history + "," + old;
      }
      annotations[kRevision] = std::to_string(revision);
    }
    annotations.update(handed_on());
    const auto& seconds = kube::member(deployment_, "spec", "minReadySeconds");
    if (annotations != before || kube::number_in(seconds) != kube::number_at(*newest_, "spec", "minReadySeconds")) {
      auto changed = *newest_;
      changed["metadata"]["annotations"] = std::move(annotations);
      changed["spec"]["minReadySeconds"] = kube::number_in(seconds);
      decision_.writes.push_back(replace(replica_sets(), std::move(changed)));
    }
    if (annotated(deployment_, kRevision) != revision) {
      auto changed = deployment_;
      changed["metadata"]["annotations"][kRevision] = std::to_string(revision);
      decision_.writes.push_back(replace(deployments(), std::move(changed)));
    }
  }

  /// Its replicas were changed since its sets were scaled.
  bool is_rescaled() const {
    return std::ranges::any_of(sets_, [&](const auto* set) {
      return wanted(*set) > 0 && kube::member(*set, "metadata", "annotations").contains(kDesired) &&
             annotated(*set, kDesired) != limits_.replicas;
    });
  }

  Sets with_replicas(const Sets& sets) const {
    Sets found;
    std::ranges::copy_if(sets, std::back_inserter(found), [](const auto* set) { return wanted(*set) > 0; });
    return found;
  }

  void rescale() {
    const auto active = with_replicas(sets_);
    const bool newest_has_all = newest_ != nullptr && wanted(*newest_) == limits_.replicas &&
                                in_status(*newest_, "availableReplicas") == limits_.replicas;
    if (active.size() == 1) {
      scale(*active.front(), limits_.replicas);
    } else if (newest_has_all) {
      for (const auto* set : with_replicas(old_)) scale(*set, 0);
    } else if (limits_.rolling) {
      rescale_in_proportion(active);
    }
  }

  /// In the middle of a rollout every set has its share of what comes or goes; the rounding is the largest's.
  void rescale_in_proportion(Sets active) {
    const auto total = sum(active, wanted);
    const auto to_add = (limits_.replicas > 0 ? limits_.replicas + limits_.surge : 0) - total;
    std::ranges::sort(active, [&](const auto* a, const auto* b) {
      if (wanted(*a) != wanted(*b)) return wanted(*a) > wanted(*b);
      return to_add > 0 ? is_older(b, a) : is_older(a, b);
    });
    std::vector<std::int64_t> sizes;
    auto left = to_add;
    for (const auto* set : active) {
      const auto most_before = annotated(*set, kMost) > 0 ? annotated(*set, kMost) : in_status(deployment_, "replicas");
      const auto share =
          most_before == 0 ? 0
                           : (2 * wanted(*set) * (limits_.replicas + limits_.surge) + most_before) / (2 * most_before) -
                                 wanted(*set);
      const auto given = to_add > 0 ? std::clamp<std::int64_t>(share, 0, std::max<std::int64_t>(left, 0))
                                    : std::clamp<std::int64_t>(share, std::min<std::int64_t>(left, 0), 0);
      sizes.push_back(wanted(*set) + given);
      left -= given;
    }
    sizes.front() = std::max<std::int64_t>(0, sizes.front() + left);
    for (std::size_t i = 0; i < active.size(); ++i) scale(*active[i], sizes[i]);
  }

  void roll() {
    if (newest_ == nullptr) return;
    const auto total = sum(sets_, wanted);
    if (wanted(*newest_) > limits_.replicas) {
      scale(*newest_, limits_.replicas);
    } else if (wanted(*newest_) < limits_.replicas) {
      const auto room = limits_.replicas + limits_.surge - total;
      if (room > 0) scale(*newest_, wanted(*newest_) + std::min(room, limits_.replicas - wanted(*newest_)));
    }
    if (decision_.writes.empty()) scale_old_down(total);
  }

  void scale_old_down(std::int64_t total) {
    const auto least_available = limits_.replicas - limits_.unavailable;
    const auto newest_unavailable = wanted(*newest_) - in_status(*newest_, "availableReplicas");
    auto can_go = total - least_available - newest_unavailable;
    if (can_go <= 0) return;
    std::vector<std::pair<const json*, std::int64_t>> sizes;
    for (const auto* set : with_replicas(old_)) sizes.emplace_back(set, wanted(*set));
    // First those that are no use.
    for (auto& [set, size] : sizes) {
      const auto useless = std::max<std::int64_t>(0, size - in_status(*set, "availableReplicas"));
      const auto going = std::clamp<std::int64_t>(can_go, 0, useless);
      size -= going;
      can_go -= going;
    }
    auto available_to_go =
        sum(sets_, [](const json& set) { return in_status(set, "availableReplicas"); }) - least_available;
    for (auto& [set, size] : sizes) {
      const auto going = std::clamp<std::int64_t>(std::min(can_go, available_to_go), 0, size);
      size -= going;
      can_go -= going;
      available_to_go -= going;
    }
    for (const auto& [set, size] : sizes)
      if (size != wanted(*set)) scale(*set, size);
  }

  bool old_pods_run() const {
    return std::ranges::any_of(old_, [&](const auto* set) {
      if (wanted(*set) > 0) return true;
      return std::ranges::any_of(view_.controlled(pods(), *set), [](const auto* pod) {
        const auto& phase = kube::text_at(*pod, "status", "phase");
        return phase != "Failed" && phase != "Succeeded";
      });
    });
  }

  void recreate() {
    for (const auto* set : with_replicas(old_)) scale(*set, 0);
    if (decision_.writes.empty() && newest_ != nullptr && !old_pods_run()) scale(*newest_, limits_.replicas);
  }

  bool is_complete() const {
    return newest_ != nullptr && in_status(*newest_, "replicas") == limits_.replicas &&
           sum(sets_, [](const json& set) { return in_status(set, "replicas"); }) == limits_.replicas &&
           sum(sets_, [](const json& set) { return in_status(set, "availableReplicas"); }) == limits_.replicas;
  }

  void forget_old() {
    const auto& limit = kube::member(deployment_, "spec", "revisionHistoryLimit");
    if (!limit.is_number() || !is_complete()) return;
    Sets idle;
    for (const auto* set : old_)
      if (wanted(*set) == 0 && in_status(*set, "replicas") == 0 && !is_ending(*set)) idle.push_back(set);
    std::ranges::sort(idle, {}, [](const auto* set) { return annotated(*set, kRevision); });
    const auto surplus = static_cast<std::int64_t>(idle.size()) - kube::number_in(limit);
    for (std::int64_t i = 0; i < surplus; ++i)
      decision_.writes.push_back(remove(replica_sets(), *idle[static_cast<std::size_t>(i)]));
  }

  /// As upstream sets it: the times change with the status, or with what is told.
  void set_condition(json& status, const char* type, bool holds, const char* reason, const std::string& message) {
    auto& conditions = status["conditions"];
    if (!conditions.is_array()) conditions = json::array();
    const auto time = kube::timestamp(view_.now);
    const auto* const word = holds ? "True" : "False";
    for (auto& each : conditions) {
      if (each["type"] != type) continue;
      if (each["status"] == word && each["reason"] == reason && each["message"] == message) return;
      if (each["status"] != word) each["lastTransitionTime"] = time;
      each["status"] = word;
      each["reason"] = reason;
      each["message"] = message;
      each["lastUpdateTime"] = time;
      return;
    }
    conditions.push_back({{"type", type},
                          {"status", word},
                          {"reason", reason},
                          {"message", message},
                          {"lastUpdateTime", time},
                          {"lastTransitionTime", time}});
  }

  static const json& condition(const json& status, const char* type) {
    for (const auto& each : kube::list_at(status, "conditions"))
      if (kube::text_at(each, "type") == type) return each;
    return kube::null_json();
  }

  void set_progress(json& status, bool moved, bool paused) {
    const auto& before = condition(kube::member(deployment_, "status"), "Progressing");
    const auto& deadline = kube::member(deployment_, "spec", "progressDeadlineSeconds");
    if (paused) {
      set_condition(status, "Progressing", true, "DeploymentPaused", "Deployment is paused");
      return;
    }
    const auto name = newest_ != nullptr ? kube::name_of(*newest_) : made_;
    const auto say = [&](bool holds, const char* reason, const std::string& what) {
      set_condition(status, "Progressing", holds, reason,
                    name.empty() ? fmt::format("Deployment \"{}\" {}", kube::name_of(deployment_), what)
                                 : fmt::format("ReplicaSet \"{}\" {}", name, what));
    };
    if (is_complete()) {
      say(true, "NewReplicaSetAvailable", "has successfully progressed.");
      return;
    }
    const auto& reason = kube::text_at(before, "reason");
    if (before.is_null()) {
      set_condition(status, "Progressing", true, "NewReplicaSetCreated",
                    fmt::format("Created new replica set \"{}\"", name));
    } else if (moved || reason == "NewReplicaSetAvailable" || reason == "DeploymentPaused") {
      say(true, "ReplicaSetUpdated", "is progressing.");
      for (auto& each : status["conditions"])
        if (each["type"] == "Progressing") each["lastUpdateTime"] = kube::timestamp(view_.now);
    } else if (deadline.is_number() && reason != "ProgressDeadlineExceeded") {
      const auto since = kube::parse_timestamp(kube::text_at(before, "lastUpdateTime")).value_or(view_.now);
      const auto left = since + std::chrono::seconds(kube::number_in(deadline)) - view_.now;
      if (left.count() <= 0)
        say(false, "ProgressDeadlineExceeded", "has timed out progressing.");
      else
        decision_.again_after = left;
    }
  }

  void write_status(bool paused) {
    const auto& before = kube::member(deployment_, "status");
    const auto available = sum(sets_, [](const json& set) { return in_status(set, "availableReplicas"); });
    auto changed = deployment_;
    auto& status = changed["status"];
    const auto updated = newest_ == nullptr ? 0 : in_status(*newest_, "replicas");
    const bool moved = put_counts(
        status, {{"replicas", sum(sets_, [](const json& set) { return in_status(set, "replicas"); })},
                 {"updatedReplicas", updated},
                 {"readyReplicas", sum(sets_, [](const json& set) { return in_status(set, "readyReplicas"); })},
                 {"availableReplicas", available},
                 {"unavailableReplicas", std::max<std::int64_t>(0, sum(sets_, wanted) - available)}});
    put_counts(status, {{"observedGeneration", kube::number_at(deployment_, "metadata", "generation")}});
    const bool enough = available >= limits_.replicas - limits_.unavailable;
    set_condition(status, "Available", enough, enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                  enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.");
    set_progress(status, moved, paused);
    if (status != before) decision_.writes.push_back(replace_status(deployments(), std::move(changed)));
  }

  const View& view_;
  const json& deployment_;
  Limits limits_;
  Decision decision_;
  Sets sets_;  // the oldest first
  Sets old_;
  const json* newest_ = nullptr;
  std::string made_;
};

void deployment_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(deployments())) keys.insert(key_of(change.either()));
  const auto add_owner = [&](const json& set) {
    const auto& controller = controller_of(set);
    if (kube::text_at(controller, "kind") == "Deployment")
      keys.insert(kube::namespace_of(set) + "/" + kube::text_at(controller, "name"));
  };
  if (change.is(replica_sets()))
    for (const auto* set : {change.before, change.now}) {
      if (set == nullptr) continue;
      add_owner(*set);
      // It may be adopted.
      if (controller_of(*set).is_null())
        for (const auto* deployment : view.in(deployments(), kube::namespace_of(*set)))
          keys.insert(key_of(*deployment));
    }
  // Recreate waits for the last pod.
  if (change.is(pods()) && change.now == nullptr) {
    const auto& controller = controller_of(*change.before);
    const auto* const set =
        view.find(replica_sets(), kube::namespace_of(*change.before) + "/" + kube::text_at(controller, "name"));
    if (set != nullptr) add_owner(*set);
  }
}

Decision decide_deployment(const View& view, const std::string& key) {
  const auto* const deployment = view.find(deployments(), key);
  return deployment == nullptr ? Decision{} : Rollout(view, *deployment).decide();
}

}  // namespace

const Controller kDeployments{
    .name = "deployment-controller", .concerns = deployment_concerns, .decide = decide_deployment};

}  // namespace knetsim::controllers
