// One pod of a DaemonSet on each node that it may be on.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/prepare.h"
#include "node_fit.h"
#include "revisions.h"
#include "workload.h"

namespace knetsim::controllers {

namespace {

constexpr auto kDaemonComponent = "daemonset-controller";

/// The node that a pod of a DaemonSet is for, whether it is there already or not.
std::string node_for(const json& pod) {
  if (const auto& node = kube::text_at(pod, "spec", "nodeName"); !node.empty()) return node;
  const auto& required =
      kube::member(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
  for (const auto& term : kube::list_at(required, "nodeSelectorTerms"))
    for (const auto& field : kube::list_at(term, "matchFields"))
      if (kube::text_at(field, "key") == "metadata.name" && !kube::list_at(field, "values").empty())
        return kube::text_in(field["values"][0]);
  return {};
}

/// As upstream: daemons stay where others must not go.
void add_tolerations(json& spec) {
  auto& tolerations = spec["tolerations"];
  if (!tolerations.is_array()) tolerations = json::array();
  for (const auto& [key, effect] : {std::pair("not-ready", "NoExecute"), std::pair("unreachable", "NoExecute"),
                                    std::pair("disk-pressure", "NoSchedule"),
                                    std::pair("memory-pressure", "NoSchedule"), std::pair("pid-pressure", "NoSchedule"),
                                    std::pair("unschedulable", "NoSchedule"), std::pair("not-ready", "NoSchedule")})
    tolerations.push_back(
        {{"key", fmt::format("node.kubernetes.io/{}", key)}, {"operator", "Exists"}, {"effect", effect}});
}

json daemon_of(const View& view, const json& set, const std::string& node, const std::string& hash) {
  auto pod = pod_of_template(set, kube::member(set, "spec", "template"),
                             fmt::format("{}-{}", kube::name_of(set), kube::name_suffix(view.random())));
  pod["metadata"]["generateName"] = kube::name_of(set) + "-";
  pod["metadata"]["labels"][kRevisionLabel] = hash;
  auto& spec = pod["spec"];
  add_tolerations(spec);
  const json here{{"key", "metadata.name"}, {"operator", "In"}, {"values", json::array({node})}};
  auto& required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
  if (!required.is_object()) required = json::object();
  auto& terms = required["nodeSelectorTerms"];
  if (terms.empty()) terms = json::array({json::object()});
  for (auto& term : terms) term["matchFields"] = json::array({here});
  return pod;
}

/// Whether the set wants a pod on a node.
bool wants(const json& set, const json& node) {
  json pod{{"spec", kube::member(set, "spec", "template", "spec")}};
  add_tolerations(pod["spec"]);
  if (is_ending(node) || !node_is_selected(pod, node)) return false;
  return std::ranges::all_of(kube::list_at(node, "spec", "taints"), [&](const json& taint) {
    return kube::text_at(taint, "effect") == "PreferNoSchedule" || tolerates(pod, taint);
  });
}

Decision decide_daemon_set(const View& view, const std::string& key) {
  const auto* const set = view.find(daemon_sets(), key);
  if (set == nullptr) return {};
  Decision decision;
  auto& writes = decision.writes;
  const Revisions revisions(view, *set, kRevisionLabel, writes);
  const auto& hash = revisions.hash();
  const auto min_ready = kube::number_at(*set, "spec", "minReadySeconds");
  std::map<std::string, std::vector<const json*>> on_node;
  auto all = claim(view, pods(), *set, writes);
  for (const auto* pod : all) on_node[node_for(*pod)].push_back(pod);
  const auto make_event = [&](const char* reason, const std::string& message) {
    writes.push_back(event(view, *set, kDaemonComponent, "Normal", reason, message));
  };
  const auto end = [&](const json& pod) {
    writes.push_back(remove(pods(), pod));
    make_event("SuccessfulDelete", "Deleted pod: " + kube::name_of(pod));
  };
  std::int64_t desired = 0;
  std::int64_t current = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
  std::int64_t updated = 0;
  std::vector<const json*> outdated;
  for (const auto* node : view.in(nodes())) {
    auto here = on_node.extract(kube::name_of(*node));
    std::vector<const json*> members = here.empty() ? std::vector<const json*>() : here.mapped();
    const bool is_occupied = !members.empty();  // those that end, too: the next one comes when they are gone
    std::erase_if(members, [](const auto* pod) { return is_ending(*pod); });
    if (!wants(*set, *node)) {
      if (!is_ending(*set))
        for (const auto* pod : members) end(*pod);
      continue;
    }
    ++desired;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const auto& phase = kube::text_at(*members[i], "status", "phase");
      if (!is_ending(*set) && (i > 0 || phase == "Failed" || phase == "Succeeded")) end(*members[i]);
    }
    if (!is_occupied && !is_ending(*set)) {
      auto pod = daemon_of(view, *set, kube::name_of(*node), hash);
      const auto name = kube::name_of(pod);
      writes.push_back(create(pods(), std::move(pod)));
      make_event("SuccessfulCreate", "Created pod: " + name);
    }
    if (members.empty()) continue;
    const auto& pod = *members.front();
    ++current;
    if (is_pod_ready(pod)) ++ready;
    if (is_pod_available(pod, min_ready, view.now)) ++available;
    if (kube::text_at(pod, "metadata", "labels", kRevisionLabel) == hash)
      ++updated;
    else
      outdated.push_back(&pod);
  }
  std::int64_t misplaced = 0;
  for (const auto& [name, members] : on_node) {
    misplaced += static_cast<std::int64_t>(members.size());
    for (const auto* pod : members)
      if (!is_ending(*pod) && !is_ending(*set)) end(*pod);  // its node is gone
  }
  if (writes.empty() && kube::text_at(*set, "spec", "updateStrategy", "type") == "RollingUpdate") {
    const auto& limit = kube::member(*set, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable");
    auto may_go = std::max<std::int64_t>(1, int_or_percent(limit, desired, true)) - (desired - available);
    // Those that are no use cost nothing.
    std::ranges::stable_sort(outdated, {}, [](const auto* pod) { return is_pod_ready(*pod); });
    for (const auto* pod : outdated) {
      const bool costs = is_pod_available(*pod, min_ready, view.now);
      if (costs && may_go-- <= 0) break;
      end(*pod);
    }
  }
  if (!is_ending(*set)) {
    std::set<std::string> live;
    for (const auto* pod : all) live.insert(kube::text_at(*pod, "metadata", "labels", kRevisionLabel));
    revisions.thin_out(
        [&](const json& each) { return live.contains(kube::text_at(each, "metadata", "labels", kRevisionLabel)); },
        writes);
  }
  auto changed = *set;
  if (put_counts(changed["status"], {{"desiredNumberScheduled", desired},
                                     {"currentNumberScheduled", current},
                                     {"numberMisscheduled", misplaced},
                                     {"numberReady", ready},
                                     {"updatedNumberScheduled", updated},
                                     {"numberAvailable", available},
                                     {"numberUnavailable", desired - available},
                                     {"observedGeneration", kube::number_at(*set, "metadata", "generation")}})) {
    for (const auto* const name :
         {"desiredNumberScheduled", "currentNumberScheduled", "numberMisscheduled", "numberReady"})
      if (!changed["status"].contains(name)) changed["status"][name] = 0;
    writes.push_back(replace_status(daemon_sets(), std::move(changed)));
  }
  decision.again_after = next_available(all, min_ready, view.now);
  return decision;
}

void daemon_set_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(daemon_sets())) keys.insert(key_of(change.either()));
  add_controller_key(view, change, daemon_sets(), keys);
  add_key_of_revision(change, daemon_sets(), keys);
  if (change.is(nodes()) && placement_part(change.before) != placement_part(change.now))
    for (const auto* set : view.in(daemon_sets())) keys.insert(key_of(*set));
}

}  // namespace

const Controller kDaemonSets{
    .name = "daemonset-controller", .concerns = daemon_set_concerns, .decide = decide_daemon_set};

}  // namespace knetsim::controllers
