#include "workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "controller.h"
#include "knetsim/kube/access.h"
#include "knetsim/kube/selector.h"

namespace knetsim::controllers {

namespace {

constexpr auto kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

/// Of condition Ready; nullopt if the pod isn't.
std::optional<kube::Time> ready_since(const json& pod) {
  for (const auto& condition : kube::list_at(pod, "status", "conditions"))
    if (kube::text_at(condition, "type") == "Ready" && kube::text_at(condition, "status") == "True")
      return kube::parse_timestamp(kube::text_at(condition, "lastTransitionTime")).value_or(kube::Time{});
  return std::nullopt;
}

std::int64_t number_of(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

int phase_rank(const json& pod) {
  const auto& phase = kube::text_at(pod, "status", "phase");
  return phase == "Running" ? 2 : phase == "Unknown" ? 1 : 0;
}

std::int64_t restarts_of(const json& pod) {
  std::int64_t most = 0;
  for (const auto& status : kube::list_at(pod, "status", "containerStatuses"))
    most = std::max(most, kube::number_at(status, "restartCount"));
  return most;
}

}  // namespace

bool is_active(const json& pod) {
  const auto& phase = kube::text_at(pod, "status", "phase");
  return phase != "Succeeded" && phase != "Failed" && !is_ending(pod);
}

bool is_pod_ready(const json& pod) { return ready_since(pod).has_value(); }

bool is_pod_available(const json& pod, std::int64_t min_ready, kube::Time now) {
  const auto since = ready_since(pod);
  return since && (min_ready == 0 || *since + std::chrono::seconds(min_ready) <= now);
}

std::optional<std::chrono::seconds> next_available(const std::vector<const json*>& pods, std::int64_t min_ready,
                                                   kube::Time now) {
  std::optional<std::chrono::seconds> first;
  for (const auto* pod : pods) {
    const auto since = ready_since(*pod);
    if (!since || is_pod_available(*pod, min_ready, now)) continue;
    const auto left = *since + std::chrono::seconds(min_ready) - now;
    first = first ? std::min(*first, left) : left;
  }
  return first;
}

json pod_of_template(const json& owner, const json& pod_template, const std::string& name) {
  json metadata{{"name", name},
                {"namespace", kube::namespace_of(owner)},
                {"ownerReferences", json::array({controller_reference(owner)})}};
  for (const auto* const key : {"labels", "annotations", "finalizers"})
    if (const auto& value = kube::member(pod_template, "metadata", key); !value.empty()) metadata[key] = value;
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", std::move(metadata)},
          {"spec", kube::member(pod_template, "spec")}};
}

std::vector<const json*> claim(const View& view, const kube::Kind& kind, const json& owner,
                               std::vector<Write>& writes) {
  const auto selector = kube::LabelSelector::of(kube::member(owner, "spec", "selector"));
  std::vector<const json*> claimed;
  for (const auto* object : view.in(kind, kube::namespace_of(owner))) {
    const auto& controller = controller_of(*object);
    const bool matches = selector.matches(*object);
    const bool is_ours = kube::text_at(controller, "uid") == uid_of(owner);
    if (is_ours && matches) {
      claimed.push_back(object);
      continue;
    }
    if (is_ending(*object) || is_ending(owner)) continue;
    auto references = json::array();
    for (const auto& each : kube::list_at(*object, "metadata", "ownerReferences"))
      if (kube::text_at(each, "uid") != uid_of(owner)) references.push_back(each);
    if (!is_ours && matches && controller.is_null()) {
      references.push_back(controller_reference(owner));
      claimed.push_back(object);
    } else if (!is_ours) {
      continue;
    }
    writes.push_back(merge(kind, *object,
                           {{"metadata",
                             {{"resourceVersion", kube::text_at(*object, "metadata", "resourceVersion")},
                              {"ownerReferences", std::move(references)}}}}));
  }
  return claimed;
}

void add_controller_key(const View& view, const Change& change, const kube::Kind& kind, std::set<std::string>& keys) {
  if (!change.is(pods())) return;
  for (const auto* pod : {change.before, change.now}) {
    if (pod == nullptr) continue;
    const auto& controller = controller_of(*pod);
    if (kube::text_at(controller, "kind") == kind.kind)
      keys.insert(kube::namespace_of(*pod) + "/" + kube::text_at(controller, "name"));
    if (!controller.is_null()) continue;
    for (const auto* set : view.in(kind, kube::namespace_of(*pod)))
      if (kube::LabelSelector::of(kube::member(*set, "spec", "selector")).matches(*pod)) keys.insert(key_of(*set));
  }
}

void sort_for_deletion(std::vector<const json*>& pods, kube::Time now) {
  std::map<std::string, int> on_node;
  for (const auto* pod : pods) ++on_node[kube::text_at(*pod, "spec", "nodeName")];
  // Source: k8s.io/kubernetes/pkg/controller, ActivePodsWithRanks.
  const auto rank = [&](const json& pod) {
    const auto& node = kube::text_at(pod, "spec", "nodeName");
    const auto since = ready_since(pod);
    const auto ready_for = since ? (now - *since).count() : 0;
    const auto made = kube::parse_timestamp(kube::text_at(pod, "metadata", "creationTimestamp")).value_or(now);
    return std::tuple(!node.empty(), phase_rank(pod), since.has_value(),
                      number_of(kube::text_at(pod, "metadata", "annotations", kDeletionCost)), -on_node[node],
                      ready_for, -restarts_of(pod), (now - made).count(), kube::name_of(pod));
  };
  std::ranges::sort(pods, [&](const auto* a, const auto* b) { return rank(*a) < rank(*b); });
}

std::string hash_name(const json& value, std::int64_t collisions) {
  // FNV-1a, and upstream's letters, which spell no words (k8s.io/apimachinery/pkg/util/rand).
  constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
  constexpr std::uint32_t kPrime = 16'777'619;
  std::uint32_t hash = 2'166'136'261;
  for (const char c : value.dump() + (collisions == 0 ? "" : std::to_string(collisions)))
    hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  std::string name;
  for (const char digit : std::to_string(hash)) name += kLetters[static_cast<unsigned char>(digit) % kLetters.size()];
  return name;
}

bool put_counts(json& status, const std::vector<std::pair<const char*, std::int64_t>>& counts) {
  bool changed = false;
  if (!status.is_object()) status = json::object();
  for (const auto& [name, count] : counts) {
    changed = changed || kube::number_at(status, name) != count;
    if (count == 0)
      status.erase(name);
    else
      status[name] = count;
  }
  return changed;
}

std::int64_t int_or_percent(const json& value, std::int64_t total, bool round_up) {
  if (value.is_number()) return kube::number_in(value);
  constexpr std::int64_t kWhole = 100;
  const auto product = number_of(kube::text_in(value)) * total;
  return round_up ? (product + kWhole - 1) / kWhole : product / kWhole;
}

}  // namespace knetsim::controllers
