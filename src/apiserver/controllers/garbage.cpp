// What is left of owners that are gone, and deletions that take their dependents with them, or leave them behind.
#include <fmt/format.h>

#include <algorithm>

#include "controller.h"
#include "knetsim/kube/access.h"

namespace knetsim::controllers {

namespace {

constexpr auto kOrphan = "orphan";
constexpr auto kForeground = "foregroundDeletion";

// Objects of every kind: the keys of this controller say which. "deployments.apps shop/web"
std::string garbage_key(const kube::Kind& kind, const std::string& key) {
  return fmt::format("{}.{} {}", kind.plural, kind.group, key);
}

Place place_of(const std::string& garbage_key) {
  const auto dot = garbage_key.find('.');
  const auto space = garbage_key.find(' ');
  return {&kube::must_be(garbage_key.substr(0, dot), garbage_key.substr(dot + 1, space - dot - 1)),
          garbage_key.substr(space + 1)};
}

const json& owner_references(const json& object) { return kube::list_at(object, "metadata", "ownerReferences"); }

bool has_finalizer(const json& object, const char* name) {
  return std::ranges::find(kube::list_at(object, "metadata", "finalizers"), name) !=
         kube::list_at(object, "metadata", "finalizers").end();
}

bool waits_for_dependents(const json& object) { return is_ending(object) && has_finalizer(object, kForeground); }

/// Where an owner would be. A kind of null is one that isn't known.
Place place_of_owner(const json& dependent, const json& reference) {
  const auto* const kind = kube::kind_of(kube::text_at(reference, "apiVersion"), kube::text_at(reference, "kind"));
  if (kind == nullptr) return {};
  const auto& name = kube::text_at(reference, "name");
  return {kind, kind->namespaced ? kube::namespace_of(dependent) + "/" + name : name};
}

/// A merge patch of what was decided about, and nothing newer.
Write merge_metadata(const kube::Kind& kind, const json& object, json metadata) {
  metadata["resourceVersion"] = kube::text_at(object, "metadata", "resourceVersion");
  return merge(kind, object, {{"metadata", std::move(metadata)}});
}

Write without_finalizer(const kube::Kind& kind, const json& object, const char* name) {
  auto left = json::array();
  for (const auto& each : kube::list_at(object, "metadata", "finalizers"))
    if (each != name) left.push_back(each);
  return merge_metadata(kind, object, {{"finalizers", std::move(left)}});
}

/// Owners of an object, as far as they count.
struct Owners {
  json solid = json::array();  ///< their references; those of kinds that aren't known here among them
  std::vector<Question> gone;
  bool waiting = false;  ///< for its end, before they go themselves
};

Owners owners_of(const View& view, const json& object) {
  Owners owners;
  for (const auto& reference : owner_references(object)) {
    const auto place = place_of_owner(object, reference);
    const auto* const owner = place.kind == nullptr ? nullptr : view.find(place);
    const auto& uid = kube::text_at(reference, "uid");
    if (place.kind == nullptr || !view.knows(*place.kind)) {
      owners.solid.push_back(reference);
    } else if (owner == nullptr || uid_of(*owner) != uid) {
      const auto collection =
          collection_of(*place.kind, place.kind->namespaced ? kube::namespace_of(object) : std::string());
      owners.gone.push_back({.target = collection + "/" + kube::text_at(reference, "name"), .not_uid = uid});
    } else if (waits_for_dependents(*owner)) {
      owners.waiting = true;
    } else {
      owners.solid.push_back(reference);
    }
  }
  return owners;
}

/// How a dependent goes: as was asked for it, or as its owner does if it has dependents itself.
std::string propagation_of(const View& view, const json& object, bool foreground) {
  if (has_finalizer(object, kOrphan)) return "Orphan";
  if (has_finalizer(object, kForeground)) return "Foreground";
  return foreground && !view.dependents(uid_of(object)).empty() ? "Foreground" : "Background";
}

Decision decide_dependent(const View& view, const kube::Kind& kind, const json& object) {
  auto owners = owners_of(view, object);
  if (owners.gone.empty() && !owners.waiting) return {};
  auto write = owners.solid.empty() ? remove(kind, object, propagation_of(view, object, owners.waiting))
                                    : merge_metadata(kind, object, {{"ownerReferences", std::move(owners.solid)}});
  write.only_if = std::move(owners.gone);
  return {.writes = {std::move(write)}};
}

Decision orphan_dependents(const View& view, const kube::Kind& kind, const json& object) {
  Decision decision;
  for (const auto& place : view.dependents(uid_of(object))) {
    const auto* const dependent = view.find(place);
    if (dependent == nullptr) continue;
    auto left = json::array();
    for (const auto& reference : owner_references(*dependent))
      if (kube::text_at(reference, "uid") != uid_of(object)) left.push_back(reference);
    decision.writes.push_back(merge_metadata(*place.kind, *dependent, {{"ownerReferences", std::move(left)}}));
  }
  decision.writes.push_back(without_finalizer(kind, object, kOrphan));
  return decision;
}

Decision end_with_dependents(const View& view, const kube::Kind& kind, const json& object) {
  Decision decision;
  bool blocked = false;
  for (const auto& place : view.dependents(uid_of(object))) {
    const auto* const dependent = view.find(place);
    if (dependent == nullptr) continue;
    for (const auto& reference : owner_references(*dependent))
      if (kube::text_at(reference, "uid") == uid_of(object) && kube::bool_at(reference, "blockOwnerDeletion"))
        blocked = true;
    if (is_ending(*dependent)) continue;
    auto decided = decide_dependent(view, *place.kind, *dependent);
    std::ranges::move(decided.writes, std::back_inserter(decision.writes));
  }
  if (!blocked) decision.writes.push_back(without_finalizer(kind, object, kForeground));
  return decision;
}

void garbage_concerns(const View& view, const Change& change, std::set<std::string>& keys) {
  const auto& object = change.either();
  const bool gone = change.now == nullptr;
  if (!gone && (!owner_references(object).empty() || is_ending(object)))
    keys.insert(garbage_key(change.kind, key_of(object)));
  if (gone)
    for (const auto& place : view.dependents(uid_of(object))) keys.insert(garbage_key(*place.kind, place.key));
  // An owner that waits for the end of its dependents, or has lost one to somebody's patch.
  for (const auto* state : {change.before, change.now}) {
    if (state == nullptr) continue;
    for (const auto& reference : owner_references(*state)) {
      const auto place = place_of_owner(*state, reference);
      const auto* const owner = place.kind == nullptr ? nullptr : view.find(place);
      if (owner != nullptr && waits_for_dependents(*owner)) keys.insert(garbage_key(*place.kind, place.key));
    }
  }
}

Decision decide_garbage(const View& view, const std::string& key) {
  const auto place = place_of(key);
  const auto* const object = view.find(place);
  if (object == nullptr) return {};
  if (!is_ending(*object)) return decide_dependent(view, *place.kind, *object);
  if (has_finalizer(*object, kOrphan)) return orphan_dependents(view, *place.kind, *object);
  if (has_finalizer(*object, kForeground)) return end_with_dependents(view, *place.kind, *object);
  return {};
}

}  // namespace

const Controller kGarbage{
    .name = "garbage-collector-controller", .concerns = garbage_concerns, .decide = decide_garbage};

}  // namespace knetsim::controllers
