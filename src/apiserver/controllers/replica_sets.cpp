// As many pods as a ReplicaSet asks for.
#include <fmt/format.h>

#include <algorithm>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/selector.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kReplicaComponent = "replicaset-controller";
constexpr std::size_t kBurst = 100;  // pods at once; then others are heard

void replica_set_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(replica_sets())) keys.insert(key_of(change.either()));
  add_controller_key(view, change, replica_sets(), keys);
}

void add_pods(const View& view, const json& set, std::size_t count, std::vector<Write>& writes) {
  for (std::size_t i = 0; i < std::min(count, kBurst); ++i) {
    const auto name = fmt::format("{}-{}", kube::name_of(set), kube::name_suffix(view.random()));
    auto pod = pod_of_template(set, kube::member(set, "spec", "template"), name);
    pod["metadata"]["generateName"] = kube::name_of(set) + "-";
    writes.push_back(create(pods(), std::move(pod)));
    writes.push_back(event(view, set, kReplicaComponent, "Normal", "SuccessfulCreate", "Created pod: " + name));
  }
}

void remove_pods(const View& view, const json& set, std::vector<const json*> active, std::size_t count,
                 std::vector<Write>& writes) {
  sort_for_deletion(active, view.now);
  active.resize(std::min(count, active.size()));
  for (const auto* pod : active) {
    writes.push_back(remove(pods(), *pod));
    writes.push_back(
        event(view, set, kReplicaComponent, "Normal", "SuccessfulDelete", "Deleted pod: " + kube::name_of(*pod)));
  }
}

Decision decide_replica_set(const View& view, const std::string& key) {
  const auto* const set = view.find(replica_sets(), key);
  if (set == nullptr) return {};
  Decision decision;
  auto active = claim(view, pods(), *set, decision.writes);
  std::erase_if(active, [](const auto* pod) { return !is_active(*pod); });
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(0, kube::number_at(*set, "spec", "replicas")));
  if (!is_ending(*set)) {
    if (active.size() < wanted) add_pods(view, *set, wanted - active.size(), decision.writes);
    if (active.size() > wanted) remove_pods(view, *set, active, active.size() - wanted, decision.writes);
  }
  const auto min_ready = kube::number_at(*set, "spec", "minReadySeconds");
  const auto template_labels =
      kube::LabelSelector::of_map(kube::member(*set, "spec", "template", "metadata", "labels"));
  const auto count = [&](auto what) { return static_cast<std::int64_t>(std::ranges::count_if(active, what)); };
  auto changed = *set;
  if (put_counts(
          changed["status"],
          {{"replicas", static_cast<std::int64_t>(active.size())},
           {"fullyLabeledReplicas", count([&](const auto* pod) { return template_labels.matches(*pod); })},
           {"readyReplicas", count([](const auto* pod) { return is_pod_ready(*pod); })},
           {"availableReplicas", count([&](const auto* pod) { return is_pod_available(*pod, min_ready, view.now); })},
           {"observedGeneration", kube::number_at(*set, "metadata", "generation")}}))
    decision.writes.push_back(replace_status(replica_sets(), std::move(changed)));
  decision.again_after = next_available(active, min_ready, view.now);
  return decision;
}

}  // namespace

const Controller kReplicaSets{
    .name = "replicaset-controller", .concerns = replica_set_concerns, .decide = decide_replica_set};

}  // namespace knetsim::controllers
