#include "view.h"

#include <algorithm>

#include "knetsim/apiserver/watch.h"
#include "knetsim/kube/access.h"

namespace knetsim::controllers {

namespace {

std::set<std::string> owners_of(const json* object) {
  std::set<std::string> uids;
  if (object != nullptr)
    for (const auto& owner : kube::list_at(*object, "metadata", "ownerReferences"))
      uids.insert(kube::text_at(owner, "uid"));
  return uids;
}

}  // namespace

void View::track(const kube::Kind& kind, const json* before, const json* current) {
  const auto old_owners = owners_of(before);
  const auto owners = owners_of(current);
  const Place place{&kind, key_of(current != nullptr ? *current : *before)};
  for (const auto& uid : old_owners) {
    const auto found = dependents_.find(uid);
    if (owners.contains(uid) || found == dependents_.end()) continue;
    found->second.erase(place);
    if (found->second.empty()) dependents_.erase(found);
  }
  for (const auto& uid : owners) dependents_[uid].insert(place);
}

const json* View::find(const kube::Kind& kind, std::string_view key) const {
  const auto all = objects_.find(&kind);
  if (all == objects_.end()) return nullptr;
  const auto found = all->second->find(key);
  return found == all->second->end() ? nullptr : &found->second;
}

std::vector<const json*> View::in(const kube::Kind& kind, const std::string& ns) const {
  std::vector<const json*> found;
  const auto all = objects_.find(&kind);
  if (all == objects_.end()) return found;
  const auto prefix = ns.empty() ? std::string() : ns + "/";
  for (auto each = all->second->lower_bound(prefix); each != all->second->end() && each->first.starts_with(prefix);
       ++each)
    found.push_back(&each->second);
  return found;
}

std::vector<Place> View::dependents(const std::string& uid) const {
  const auto found = dependents_.find(uid);
  return found == dependents_.end() ? std::vector<Place>()
                                    : std::vector<Place>{found->second.begin(), found->second.end()};
}

std::vector<const json*> View::controlled(const kube::Kind& kind, const json& owner) const {
  std::vector<const json*> found;
  for (const auto& place : dependents(uid_of(owner))) {
    if (place.kind != &kind) continue;
    const auto* const object = find(place);
    if (object != nullptr && is_controlled_by(*object, owner)) found.push_back(object);
  }
  return found;
}

const kube::Kind& pods() {
  static const auto& kind = kube::must_be("pods");
  return kind;
}
const kube::Kind& services() {
  static const auto& kind = kube::must_be("services");
  return kind;
}
const kube::Kind& nodes() {
  static const auto& kind = kube::must_be("nodes");
  return kind;
}
const kube::Kind& namespaces() {
  static const auto& kind = kube::must_be("namespaces");
  return kind;
}
const kube::Kind& replica_sets() {
  static const auto& kind = kube::must_be("replicasets", "apps");
  return kind;
}
const kube::Kind& deployments() {
  static const auto& kind = kube::must_be("deployments", "apps");
  return kind;
}
const kube::Kind& daemon_sets() {
  static const auto& kind = kube::must_be("daemonsets", "apps");
  return kind;
}
const kube::Kind& jobs() {
  static const auto& kind = kube::must_be("jobs", "batch");
  return kind;
}
const kube::Kind& controller_revisions() {
  static const auto& kind = kube::must_be("controllerrevisions", "apps");
  return kind;
}
const kube::Kind& stateful_sets() {
  static const auto& kind = kube::must_be("statefulsets", "apps");
  return kind;
}

std::string key_of(const json& object) { return apiserver::Informer::key_of(object); }

const std::string& uid_of(const json& object) { return kube::text_at(object, "metadata", "uid"); }

bool is_ending(const json& object) { return !kube::text_at(object, "metadata", "deletionTimestamp").empty(); }

const json& controller_of(const json& object) {
  for (const auto& owner : kube::list_at(object, "metadata", "ownerReferences"))
    if (kube::bool_at(owner, "controller")) return owner;
  return kube::null_json();
}

bool is_controlled_by(const json& object, const json& owner) {
  return kube::text_at(controller_of(object), "uid") == uid_of(owner);
}

bool selects(const json& plain_selector, const json& object) {
  if (!plain_selector.is_object() || plain_selector.empty()) return false;
  const auto& labels = kube::member(object, "metadata", "labels");
  return std::ranges::all_of(plain_selector.items(),
                             [&](const auto& item) { return kube::member(labels, item.key()) == item.value(); });
}

}  // namespace knetsim::controllers
