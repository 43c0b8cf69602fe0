#pragma once

#include <nlohmann/json.hpp>

#include "knetsim/kube/field_set.h"
#include "knetsim/kube/schema.h"

namespace knetsim::kube {

// Objects as server-side apply looks at them: structs and maps member by member, lists with keys and sets element by
// element, everything atomic as a whole. Lists that aren't said to be anything else are atomic, and so are the lists in
// what isn't described further. Source: sigs.k8s.io/structured-merge-diff/v4/typed.

/// What lies between two states of an object.
struct FieldChanges {
  FieldSet added;
  FieldSet removed;
  FieldSet modified;
  bool empty() const noexcept { return added.empty() && removed.empty() && modified.empty(); }
};
FieldChanges field_changes(const Schema& schema, const nlohmann::json& before, const nlohmann::json& after);

/// The fields that somebody who applies `config` names. Throws InputError for a list that can't be told apart: an
/// element that stands twice, or lacks a key.
FieldSet fields_of(const Schema& schema, const nlohmann::json& config);
/// The same of an object that is there; what can't be told apart counts once.
FieldSet fields_of_live(const Schema& schema, const nlohmann::json& object);

/// `live` with what `config` says. Elements that both have come in the order of `config`.
nlohmann::json structured_merge(const Schema& schema, const nlohmann::json& live, const nlohmann::json& config);
/// Without these fields, and without what that leaves empty.
nlohmann::json without_fields(const Schema& schema, const nlohmann::json& object, const FieldSet& fields);
/// With the structs around each field: what holds a field that is kept isn't removed.
FieldSet with_structs(const Schema& schema, FieldSet fields);

}  // namespace knetsim::kube
