// The pods of a StatefulSet have names that stay: web-0, web-1 ...
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "revisions.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kStatefulComponent = "statefulset-controller";
constexpr auto kHashLabel = "controller.kubernetes.io/hash";  // of a revision
constexpr std::size_t kMostAtOnce = 100;                      // pods; then others are heard

/// "web-3" of "web": 3; nullopt for what has no such name.
std::optional<std::int64_t> ordinal_of(const json& set, const json& pod) {
  const auto prefix = kube::name_of(set) + "-";
  const auto& name = kube::name_of(pod);
  if (!name.starts_with(prefix)) return std::nullopt;
  std::int64_t number = 0;
  const auto* const end = name.data() + name.size();
  const auto [stop, code] = std::from_chars(name.data() + prefix.size(), end, number);
  if (code != std::errc{} || stop != end || number < 0) return std::nullopt;
  return number;
}

json member_of(const json& set, const json& pod_template, std::int64_t ordinal, const std::string& revision) {
  const auto name = fmt::format("{}-{}", kube::name_of(set), ordinal);
  auto pod = pod_of_template(set, pod_template, name);
  pod["metadata"]["generateName"] = kube::name_of(set) + "-";
  auto& labels = pod["metadata"]["labels"];
  labels["statefulset.kubernetes.io/pod-name"] = name;
  labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  labels[kRevisionLabel] = revision;
  pod["spec"]["hostname"] = name;
  if (const auto& service = kube::text_at(set, "spec", "serviceName"); !service.empty())
    pod["spec"]["subdomain"] = service;
  return pod;
}

class Ordinals {
 public:
  Ordinals(const View& view, const json& set)
      : view_(view),
        set_(set),
        revisions_(view, set, kHashLabel, decision_.writes),
        revision_(revisions_.name()),
        wanted_(kube::number_at(set, "spec", "replicas")),
        first_(kube::number_at(set, "spec", "ordinals", "start")),
        min_ready_(kube::number_at(set, "spec", "minReadySeconds")),
        in_order_(kube::text_at(set, "spec", "podManagementPolicy") != "Parallel") {
    for (const auto* pod : claim(view, pods(), set, decision_.writes))
      if (const auto ordinal = ordinal_of(set, *pod)) pods_.emplace(*ordinal, pod);
  }

  Decision decide() {
    if (!is_ending(set_) && fill() && thin_out() &&
        kube::text_at(set_, "spec", "updateStrategy", "type") == "RollingUpdate")
      renew();
    if (!is_ending(set_)) forget_revisions();
    write_status();
    std::vector<const json*> all;
    for (const auto& [ordinal, pod] : pods_) all.push_back(pod);
    decision_.again_after = next_available(all, min_ready_, view_.now);
    return std::move(decision_);
  }

 private:
  bool is_up(const json& pod) const { return !is_ending(pod) && is_pod_available(pod, min_ready_, view_.now); }
  bool is_new(const json& pod) const { return kube::text_at(pod, "metadata", "labels", kRevisionLabel) == revision_; }
  bool is_wanted(std::int64_t ordinal) const { return ordinal >= first_ && ordinal < first_ + wanted_; }

  void end(const json& pod) {
    decision_.writes.push_back(remove(pods(), pod));
    decision_.writes.push_back(
        event(view_, set_, kStatefulComponent, "Normal", "SuccessfulDelete",
              fmt::format("delete Pod {} in StatefulSet {} successful", kube::name_of(pod), kube::name_of(set_))));
  }

  /// Below the partition, who comes back is as he was.
  json next_at(std::int64_t ordinal) const {
    const auto& before = kube::text_at(set_, "status", "currentRevision");
    const auto& old = revisions_.template_of(before);
    if (ordinal < first_new() && old.is_object()) return member_of(set_, old, ordinal, before);
    return member_of(set_, kube::member(set_, "spec", "template"), ordinal, revision_);
  }

  /// From the lowest ordinal; in order, each waits for the one before. False while somebody is waited for.
  bool fill() {
    std::size_t made = 0;
    for (auto ordinal = first_; ordinal < first_ + wanted_; ++ordinal) {
      const auto found = pods_.find(ordinal);
      if (found == pods_.end()) {
        auto pod = next_at(ordinal);
        const auto name = kube::name_of(pod);
        decision_.writes.push_back(create(pods(), std::move(pod)));
        decision_.writes.push_back(
            event(view_, set_, kStatefulComponent, "Normal", "SuccessfulCreate",
                  fmt::format("create Pod {} in StatefulSet {} successful", name, kube::name_of(set_))));
        if (in_order_ || ++made == kMostAtOnce) return false;
        continue;
      }
      const auto& pod = *found->second;
      const auto& phase = kube::text_at(pod, "status", "phase");
      if ((phase == "Failed" || phase == "Succeeded") && !is_ending(pod)) {
        end(pod);
        return false;
      }
      if (in_order_ && !is_up(pod)) {
        // One of an old template that never came up would be waited for in vain.
        if (!is_ending(pod) && !is_new(pod) && !is_pod_ready(pod) && ordinal >= first_new()) end(pod);
        return false;
      }
    }
    return true;
  }

  /// From the highest ordinal. False while there are too many.
  bool thin_out() {
    bool done = true;
    for (auto each = pods_.rbegin(); each != pods_.rend(); ++each) {
      if (is_wanted(each->first)) continue;
      done = false;
      if (!is_ending(*each->second)) end(*each->second);
      if (in_order_) return false;
    }
    return done;
  }

  /// The lowest ordinal that the newest template is for.
  std::int64_t first_new() const {
    return first_ + kube::number_at(set_, "spec", "updateStrategy", "rollingUpdate", "partition");
  }

  /// One after the other, from the highest ordinal down to the partition.
  void renew() {
    for (auto each = pods_.rbegin(); each != pods_.rend(); ++each) {
      if (each->first < first_new()) return;
      if (!is_new(*each->second)) {
        if (!is_ending(*each->second)) end(*each->second);
        return;
      }
      if (!is_up(*each->second)) return;
    }
  }

  void forget_revisions() {
    std::set<std::string> live{kube::text_at(set_, "status", "currentRevision")};
    for (const auto& [ordinal, pod] : pods_) live.insert(kube::text_at(*pod, "metadata", "labels", kRevisionLabel));
    revisions_.thin_out([&](const json& each) { return live.contains(kube::name_of(each)); }, decision_.writes);
  }

  void write_status() {
    std::int64_t ready = 0;
    std::int64_t available = 0;
    std::int64_t updated = 0;
    std::int64_t present = 0;
    for (const auto& [ordinal, pod] : pods_) {
      ++present;
      if (is_pod_ready(*pod)) ++ready;
      if (is_up(*pod)) ++available;
      if (is_new(*pod) && !is_ending(*pod)) ++updated;
    }
    auto changed = set_;
    auto& status = changed["status"];
    const bool is_all_new = updated == wanted_ && present == wanted_ && ready == wanted_;
    const auto& before = kube::text_at(status, "currentRevision");
    const std::string current = is_all_new || before.empty() ? revision_ : before;
    bool differs = current != before || kube::text_at(status, "updateRevision") != revision_;
    differs = put_counts(status, {{"replicas", present},
                                  {"readyReplicas", ready},
                                  {"availableReplicas", available},
                                  {"updatedReplicas", updated},
                                  {"currentReplicas", current == revision_ ? updated : present - updated},
                                  {"observedGeneration", kube::number_at(set_, "metadata", "generation")}}) ||
              differs;
    if (!differs) return;
    for (const auto* const name : {"replicas", "availableReplicas"})
      if (!status.contains(name)) status[name] = 0;
    status["currentRevision"] = current;
    status["updateRevision"] = revision_;
    decision_.writes.push_back(replace_status(stateful_sets(), std::move(changed)));
  }

  const View& view_;
  const json& set_;
  Decision decision_;
  Revisions revisions_;
  std::string revision_;
  std::int64_t wanted_;
  std::int64_t first_;
  std::int64_t min_ready_;
  bool in_order_;
  std::map<std::int64_t, const json*> pods_;
};

void stateful_set_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(stateful_sets())) keys.insert(key_of(change.either()));
  add_controller_key(view, change, stateful_sets(), keys);
  add_key_of_revision(change, stateful_sets(), keys);
}

Decision decide_stateful_set(const View& view, const std::string& key) {
  const auto* const set = view.find(stateful_sets(), key);
  return set == nullptr ? Decision{} : Ordinals(view, *set).decide();
}

}  // namespace

const Controller kStatefulSets{
    .name = "statefulset-controller", .concerns = stateful_set_concerns, .decide = decide_stateful_set};

}  // namespace knetsim::controllers
