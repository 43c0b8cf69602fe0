#pragma once

#include <compare>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "knetsim/kube/field_set.h"

namespace knetsim::kube {

/// What tells one entry of metadata.managedFields from another.
struct ManagerId {
  std::string manager;
  bool applies = false;     ///< operation Apply, else Update
  std::string api_version;  ///< of an Update; who applies is one whatever the version
  std::string subresource;
  auto operator<=>(const ManagerId&) const = default;
};

struct ManagedEntry {
  FieldSet fields;
  std::string api_version;
  std::string time = {};  ///< as the API has it; empty: none
};

using Managers = std::map<ManagerId, ManagedEntry>;

/// Nullopt if there is an entry that can't be read.
std::optional<Managers> managers_of(const nlohmann::json& managed_fields);
/// Those that own something, in upstream's order; null if there is none.
nlohmann::json managed_fields_of(const Managers& managers);

/// Puts them in metadata.managedFields, or takes that away.
void set_managers(nlohmann::json& object, const Managers& managers);

/// Without what nobody owns: names, what the server gives, managedFields themselves.
FieldSet without_identity(FieldSet fields);
/// What these lose by a change that isn't theirs.
void take_away(Managers& managers, const ManagerId* author, const FieldSet& fields);

}  // namespace knetsim::kube
