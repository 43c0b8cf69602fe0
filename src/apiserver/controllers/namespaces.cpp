// Namespaces that are deleted: what is in them goes, then they do.
#include <algorithm>

#include "controller.h"
#include "knetsim/kube/access.h"

namespace knetsim::controllers {

namespace {

void namespace_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  if (change.is(namespaces())) keys.insert(key_of(change.either()));
  const auto& ns = kube::namespace_of(change.either());
  if (ns.empty()) return;
  const auto* const there = view.find(namespaces(), ns);
  if (there != nullptr && is_ending(*there)) keys.insert(ns);
}

Write finalize(const json& ns, std::vector<Question> only_if) {
  auto let_go = ns;
  auto left = json::array();
  for (const auto& each : kube::list_at(ns, "spec", "finalizers"))
    if (each != "kubernetes") left.push_back(each);
  let_go["spec"]["finalizers"] = std::move(left);
  return {.kind = &namespaces(),
          .method = "PUT",
          .target = target_of(namespaces(), ns) + "/finalize",
          .body = std::move(let_go),
          .only_if = std::move(only_if)};
}

Decision decide_namespace(const View& view, const std::string& key) {
  const auto* const ns = view.find(namespaces(), key);
  if (ns == nullptr || !is_ending(*ns)) return {};
  if (kube::list_at(*ns, "spec", "finalizers").empty()) return {};
  Decision decision;
  bool empty = true;
  std::vector<Question> all_gone;
  std::vector<Write> unknown;
  for (const auto& kind : kube::kinds()) {
    if (!kind.namespaced || !kind.allows("deletecollection")) continue;
    if (!view.knows(kind)) {
      unknown.push_back(remove_all(kind, key));
      continue;
    }
    const auto objects = view.in(kind, key);
    empty = empty && objects.empty();
    if (std::ranges::any_of(objects, [](const auto* object) { return !is_ending(*object); }))
      decision.writes.push_back(remove_all(kind, key));
    all_gone.push_back({.target = collection_of(kind, key)});
  }
  if (!empty) return decision;
  decision.writes = std::move(unknown);
  decision.writes.push_back(finalize(*ns, std::move(all_gone)));
  return decision;
}

}  // namespace

const Controller kNamespaces{
    .name = "namespace-controller", .concerns = namespace_concerns, .decide = decide_namespace};

}  // namespace knetsim::controllers
