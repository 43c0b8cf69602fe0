#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/time.h"

namespace knetsim::controllers {

using nlohmann::json;

/// An object by its place.
struct Place {
  const kube::Kind* kind = nullptr;
  std::string key;  ///< "shop/web", "w1"
  auto operator<=>(const Place&) const = default;
};

/// All that controllers decide by: the objects as far as they are known. It holds no objects itself.
class View {
 public:
  using Objects = std::map<std::string, json, std::less<>>;

  /// Where the objects of a kind are, from now on.
  void add(const kube::Kind& kind, const Objects& objects) { objects_[&kind] = &objects; }
  /// An object has changed: null is one that isn't there.
  void track(const kube::Kind& kind, const json* before, const json* current);

  bool knows(const kube::Kind& kind) const { return objects_.contains(&kind); }
  /// Null if there is none.
  const json* find(const Place& place) const { return find(*place.kind, place.key); }
  const json* find(const kube::Kind& kind, std::string_view key) const;
  /// Those of a namespace; without one, all.
  std::vector<const json*> in(const kube::Kind& kind, const std::string& ns = {}) const;
  /// Everything that names that uid among its owners.
  std::vector<Place> dependents(const std::string& uid) const;
  /// Those of a kind that it controls.
  std::vector<const json*> controlled(const kube::Kind& kind, const json& owner) const;

  kube::Time now = {};
  std::function<std::uint64_t()> random;

 private:
  std::map<const kube::Kind*, const Objects*> objects_;
  std::map<std::string, std::set<Place>> dependents_;  // by the owner's uid
};

// Kinds by name.
const kube::Kind& pods();
const kube::Kind& services();
const kube::Kind& nodes();
const kube::Kind& namespaces();
const kube::Kind& replica_sets();
const kube::Kind& deployments();
const kube::Kind& daemon_sets();
const kube::Kind& stateful_sets();
const kube::Kind& jobs();
const kube::Kind& controller_revisions();

std::string key_of(const json& object);
const std::string& uid_of(const json& object);
/// It has a deletionTimestamp.
bool is_ending(const json& object);
/// The ownerReference with `controller: true`; null if there is none.
const json& controller_of(const json& object);
bool is_controlled_by(const json& object, const json& owner);
/// Whether all of a plain selector's labels are the object's; an empty selector selects nothing.
bool selects(const json& plain_selector, const json& object);

}  // namespace knetsim::controllers
