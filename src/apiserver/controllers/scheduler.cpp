// Pods that have no node get one: of those that they tolerate and select, the one that spreads them best.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/endpoint_slices.h"
#include "knetsim/kube/selector.h"
#include "node_fit.h"

namespace knetsim::controllers {

namespace {

constexpr auto kSchedulerComponent = "default-scheduler";
constexpr auto kHostname = "kubernetes.io/hostname";

bool is_waiting(const json& pod) {
  const auto& scheduler = kube::text_at(pod, "spec", "schedulerName");
  return kube::text_at(pod, "spec", "nodeName").empty() && !is_ending(pod) &&
         (scheduler.empty() || scheduler == kSchedulerComponent) &&
         kube::list_at(pod, "spec", "schedulingGates").empty();
}

bool has_ended(const json& pod) {
  const auto& phase = kube::text_at(pod, "status", "phase");
  return phase == "Succeeded" || phase == "Failed";
}

/// A NodeSelectorTerm; one without any requirement matches nothing.
bool term_matches(const json& term, const json& node) {
  const auto& expressions = kube::list_at(term, "matchExpressions");
  const auto& fields = kube::list_at(term, "matchFields");
  if (expressions.empty() && fields.empty()) return false;
  const auto number = [](const std::string& text) -> std::optional<std::int64_t> {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  const auto holds = [&](const json& requirement, const json& value) {
    const auto& op = kube::text_at(requirement, "operator");
    const auto& values = kube::list_at(requirement, "values");
    const bool is_there = value.is_string();
    const bool is_among = is_there && std::ranges::find(values, value) != values.end();
    if (op == "In") return is_among;
    if (op == "NotIn") return !is_among;
    if (op == "Exists") return is_there;
    if (op == "DoesNotExist") return !is_there;
    if (values.size() != 1) return false;
    const auto here = number(kube::text_in(value));
    const auto there = number(kube::text_in(values[0]));
    return here && there && (op == "Gt" ? *here > *there : op == "Lt" && *here < *there);
  };
  const auto& labels = kube::member(node, "metadata", "labels");
  return std::ranges::all_of(
             expressions,
             [&](const json& each) { return holds(each, kube::member(labels, kube::text_at(each, "key"))); }) &&
         std::ranges::all_of(fields, [&](const json& each) {
           return kube::text_at(each, "key") == "metadata.name" && holds(each, kube::member(node, "metadata", "name"));
         });
}

}  // namespace

bool tolerates(const json& pod, const json& taint) {
  return std::ranges::any_of(kube::list_at(pod, "spec", "tolerations"), [&](const json& toleration) {
    const auto& key = kube::text_at(toleration, "key");
    const auto& effect = kube::text_at(toleration, "effect");
    const bool exists = kube::text_at(toleration, "operator") == "Exists";
    if (!effect.empty() && effect != kube::text_at(taint, "effect")) return false;
    if (key.empty()) return exists;
    return key == kube::text_at(taint, "key") &&
           (exists || kube::text_at(toleration, "value") == kube::text_at(taint, "value"));
  });
}

bool node_is_selected(const json& pod, const json& node) {
  const auto& plain = kube::member(pod, "spec", "nodeSelector");
  if (plain.is_object() && !plain.empty() && !selects(plain, node)) return false;
  const auto& required =
      kube::member(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
  if (required.is_null()) return true;
  return std::ranges::any_of(kube::list_at(required, "nodeSelectorTerms"),
                             [&](const json& term) { return term_matches(term, node); });
}

json placement_part(const json* node) {
  if (node == nullptr) return nullptr;
  json ready;
  for (const auto& condition : kube::list_at(*node, "status", "conditions"))
    if (kube::text_at(condition, "type") == "Ready") ready = kube::text_at(condition, "status");
  return {kube::member(*node, "spec"), kube::member(*node, "metadata", "labels"), ready};
}

namespace {

std::int64_t preference(const json& pod, const json& node) {
  std::int64_t weight = 0;
  for (const auto& each :
       kube::list_at(pod, "spec", "affinity", "nodeAffinity", "preferredDuringSchedulingIgnoredDuringExecution"))
    if (term_matches(kube::member(each, "preference"), node)) weight += kube::number_at(each, "weight");
  for (const auto& taint : kube::list_at(node, "spec", "taints"))
    if (kube::text_at(taint, "effect") == "PreferNoSchedule" && !tolerates(pod, taint)) --weight;
  return weight;
}

std::set<std::string> host_ports(const json& pod) {
  std::set<std::string> ports;
  for (const auto& container : kube::list_at(pod, "spec", "containers"))
    for (const auto& port : kube::list_at(container, "ports"))
      if (const auto number = kube::number_at(port, "hostPort"); number != 0) {
        const auto& protocol = kube::text_at(port, "protocol");
        ports.insert(fmt::format("{}/{}", number, protocol.empty() ? "TCP" : protocol));
      }
  return ports;
}

/// All that is known of where pods are.
struct Placement {
  std::map<std::string, const json*> nodes;
  std::vector<const json*> placed;  ///< pods that have a node and haven't ended

  explicit Placement(const View& view) {
    for (const auto* node : view.in(controllers::nodes())) nodes.emplace(kube::name_of(*node), node);
    for (const auto* pod : view.in(pods()))
      if (!kube::text_at(*pod, "spec", "nodeName").empty() && !has_ended(*pod)) placed.push_back(pod);
  }

  /// A node's value of a topology's label; empty without one.
  static const std::string& domain(const json& node, const std::string& key) {
    return key == kHostname && kube::text_at(node, "metadata", "labels", key).empty()
               ? kube::name_of(node)
               : kube::text_at(node, "metadata", "labels", key);
  }
  const std::string& domain_of(const json& pod, const std::string& key) const {
    const auto found = nodes.find(kube::text_at(pod, "spec", "nodeName"));
    return found == nodes.end() ? kube::text_in(kube::null_json()) : domain(*found->second, key);
  }
};

bool term_selects(const json& term, const json& whose, const json& other) {
  const auto& namespaces_named = kube::list_at(term, "namespaces");
  const bool in_namespace =
      namespaces_named.empty()
          ? kube::namespace_of(whose) == kube::namespace_of(other)
          : std::ranges::find(namespaces_named, json(kube::namespace_of(other))) != namespaces_named.end();
  return in_namespace && kube::LabelSelector::of(kube::member(term, "labelSelector")).matches(other);
}

bool anti_affinity_holds(const Placement& placement, const json& pod, const json& node) {
  constexpr auto kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  const auto clashes = [&](const json& whose, const json& other, const json& where_other_is) {
    return std::ranges::any_of(
        kube::list_at(whose, "spec", "affinity", "podAntiAffinity", kRequired), [&](const json& term) {
          const auto& key = kube::text_at(term, "topologyKey");
          const auto& here = Placement::domain(node, key);
          return term_selects(term, whose, other) && !here.empty() && here == Placement::domain(where_other_is, key);
        });
  };
  return std::ranges::none_of(placement.placed, [&](const auto* other) {
    const auto where = placement.nodes.find(kube::text_at(*other, "spec", "nodeName"));
    return where != placement.nodes.end() &&
           (clashes(pod, *other, *where->second) || clashes(*other, pod, *where->second));
  });
}

bool affinity_holds(const Placement& placement, const json& pod, const json& node) {
  const auto& terms =
      kube::list_at(pod, "spec", "affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution");
  return std::ranges::all_of(terms, [&](const json& term) {
    const auto& key = kube::text_at(term, "topologyKey");
    const auto& here = Placement::domain(node, key);
    bool any = false;
    for (const auto* other : placement.placed) {
      if (!term_selects(term, pod, *other)) continue;
      any = true;
      if (!here.empty() && placement.domain_of(*other, key) == here) return true;
    }
    // The first of those that want to be together may be anywhere.
    return !any && term_selects(term, pod, pod) && !here.empty();
  });
}

/// By how much a node's domain would have more than the emptiest one, if the pod came there.
std::int64_t skew(const Placement& placement, const json& constraint, const json& pod, const json& node) {
  const auto& key = kube::text_at(constraint, "topologyKey");
  std::map<std::string, std::int64_t> counts;
  for (const auto& [name, each] : placement.nodes)
    if (!Placement::domain(*each, key).empty() && node_is_selected(pod, *each)) counts[Placement::domain(*each, key)];
  const auto selector = kube::LabelSelector::of(kube::member(constraint, "labelSelector"));
  for (const auto* other : placement.placed)
    if (kube::namespace_of(*other) == kube::namespace_of(pod) && !is_ending(*other) && selector.matches(*other))
      if (const auto found = counts.find(placement.domain_of(*other, key)); found != counts.end()) ++found->second;
  const auto least = std::ranges::min_element(counts, {}, [](const auto& each) { return each.second; });
  return counts[Placement::domain(node, key)] + (selector.matches(pod) ? 1 : 0) -
         (least == counts.end() ? 0 : least->second);
}

bool spread_holds(const Placement& placement, const json& pod, const json& node) {
  return std::ranges::all_of(kube::list_at(pod, "spec", "topologySpreadConstraints"), [&](const json& constraint) {
    if (kube::text_at(constraint, "whenUnsatisfiable") == "ScheduleAnyway") return true;
    return !Placement::domain(node, kube::text_at(constraint, "topologyKey")).empty() &&
           skew(placement, constraint, pod, node) <= kube::number_at(constraint, "maxSkew");
  });
}

/// Why a pod can't be there, in the words of kube-scheduler; empty if it can.
std::string obstacle(const Placement& placement, const json& pod, const json& node) {
  if (kube::bool_at(node, "spec", "unschedulable") &&
      !tolerates(pod, {{"key", "node.kubernetes.io/unschedulable"}, {"effect", "NoSchedule"}}))
    return "node(s) were unschedulable";
  for (const auto& taint : kube::list_at(node, "spec", "taints")) {
    const auto& effect = kube::text_at(taint, "effect");
    if ((effect == "NoSchedule" || effect == "NoExecute") && !tolerates(pod, taint))
      return fmt::format("node(s) had untolerated taint {{{}: {}}}", kube::text_at(taint, "key"),
                         kube::text_at(taint, "value"));
  }
  for (const auto& condition : kube::list_at(node, "status", "conditions"))
    if (kube::text_at(condition, "type") == "Ready" && kube::text_at(condition, "status") != "True" &&
        !tolerates(pod, {{"key", "node.kubernetes.io/not-ready"}, {"effect", "NoSchedule"}}))
      return "node(s) had untolerated taint {node.kubernetes.io/not-ready: }";
  if (!node_is_selected(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  if (const auto ports = host_ports(pod); !ports.empty())
    for (const auto* other : placement.placed)
      if (kube::text_at(*other, "spec", "nodeName") == kube::name_of(node) &&
          std::ranges::any_of(host_ports(*other), [&](const auto& port) { return ports.contains(port); }))
        return "node(s) didn't have free ports for the requested pod ports";
  if (!spread_holds(placement, pod, node)) return "node(s) didn't match pod topology spread constraints";
  if (!affinity_holds(placement, pod, node)) return "node(s) didn't match pod affinity rules";
  if (!anti_affinity_holds(placement, pod, node)) return "node(s) didn't match pod anti-affinity rules";
  return {};
}

/// The lower, the better.
auto rank_of_node(const Placement& placement, const json& pod, const json& node) {
  const auto& owner = kube::text_at(controller_of(pod), "uid");
  const auto& zone = Placement::domain(node, kube::kZoneLabel);
  std::int64_t skews = 0;
  for (const auto& constraint : kube::list_at(pod, "spec", "topologySpreadConstraints"))
    skews += skew(placement, constraint, pod, node);
  int kin_here = 0;
  int kin_in_zone = 0;
  int here = 0;
  for (const auto* other : placement.placed) {
    const bool is_here = kube::text_at(*other, "spec", "nodeName") == kube::name_of(node);
    const bool is_kin =
        kube::namespace_of(*other) == kube::namespace_of(pod) &&
        (owner.empty() ? kube::member(*other, "metadata", "labels") == kube::member(pod, "metadata", "labels")
                       : kube::text_at(controller_of(*other), "uid") == owner);
    if (is_here) ++here;
    if (is_here && is_kin) ++kin_here;
    if (is_kin && !zone.empty() && placement.domain_of(*other, kube::kZoneLabel) == zone) ++kin_in_zone;
  }
  return std::tuple(-preference(pod, node), skews, kin_here, kin_in_zone, here, kube::name_of(node));
}

Decision cannot_be_placed(const View& view, const json& pod, const std::map<std::string, int>& obstacles,
                          std::size_t count) {
  std::string message = "no nodes available to schedule pods";
  if (count > 0) {
    message = fmt::format("0/{} nodes are available: ", count);
    for (const auto& [obstacle, times] : obstacles) message += fmt::format("{} {}, ", times, obstacle);
    message.replace(message.size() - 2, 2, ".");
  }
  const auto time = kube::timestamp(view.now);
  json told{{"type", "PodScheduled"}, {"status", "False"},          {"reason", "Unschedulable"},
            {"message", message},     {"lastTransitionTime", time}, {"lastProbeTime", nullptr}};
  auto conditions = json::array();
  for (const auto& each : kube::list_at(pod, "status", "conditions")) {
    if (kube::text_at(each, "type") != "PodScheduled") {
      conditions.push_back(each);
      continue;
    }
    if (kube::text_at(each, "status") == "False" && kube::text_at(each, "message") == message) return {};
  }
  conditions.push_back(std::move(told));
  Decision decision;
  auto changed = pod;
  changed["status"]["conditions"] = std::move(conditions);
  decision.writes.push_back(replace_status(pods(), std::move(changed)));
  decision.writes.push_back(event(view, pod, kSchedulerComponent, "Warning", "FailedScheduling", message));
  return decision;
}

Decision decide_place(const View& view, const std::string& key) {
  const auto* const pod = view.find(pods(), key);
  if (pod == nullptr || !is_waiting(*pod)) return {};
  const Placement placement(view);
  std::map<std::string, int> obstacles;
  const json* best = nullptr;
  for (const auto& [name, node] : placement.nodes) {
    if (is_ending(*node)) continue;
    const auto why = obstacle(placement, *pod, *node);
    if (!why.empty())
      ++obstacles[why];
    else if (best == nullptr || rank_of_node(placement, *pod, *node) < rank_of_node(placement, *pod, *best))
      best = node;
  }
  if (best == nullptr) return cannot_be_placed(view, *pod, obstacles, placement.nodes.size());
  Decision decision;
  decision.writes.push_back({.kind = &pods(),
                             .method = "POST",
                             .target = target_of(pods(), *pod) + "/binding",
                             .body = {{"apiVersion", "v1"},
                                      {"kind", "Binding"},
                                      {"metadata", {{"name", kube::name_of(*pod)}, {"uid", uid_of(*pod)}}},
                                      {"target", {{"kind", "Node"}, {"name", kube::name_of(*best)}}}}});
  decision.writes.push_back(event(view, *pod, kSchedulerComponent, "Normal", "Scheduled",
                                  fmt::format("Successfully assigned {} to {}", key, kube::name_of(*best))));
  return decision;
}

void scheduler_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(pods()) && change.now != nullptr && is_waiting(*change.now)) keys.insert(key_of(*change.now));
  const bool node_changed = change.is(nodes()) && placement_part(change.before) != placement_part(change.now);
  const bool room_made = change.is(pods()) && (change.now == nullptr || has_ended(*change.now));
  if (!node_changed && !room_made) return;
  for (const auto* pod : view.in(pods()))
    if (is_waiting(*pod)) keys.insert(key_of(*pod));
}

}  // namespace

const Controller kScheduler{.name = "scheduler", .concerns = scheduler_concerns, .decide = decide_place};

}  // namespace knetsim::controllers
