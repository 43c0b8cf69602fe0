#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace knetsim::kube {

/// Some of the fields of an object, as metadata.managedFields tells of them (FieldsV1). A tree: each step is a member
/// of a map, `f:replicas`; an element of a list by its keys, `k:{"name":"web"}`; one by its value, `v:"x"`; or one by
/// its place, `i:0`. Source: sigs.k8s.io/structured-merge-diff/v4/fieldpath.
struct FieldSet {
  bool self = false;                         ///< the field itself, which says nothing of those inside of it
  std::map<std::string, FieldSet> inside{};  ///< by step; none of them is empty

  bool operator==(const FieldSet&) const = default;
  bool empty() const noexcept { return !self && inside.empty(); }
  /// In upstream's words, ".spec.ports[port=80,protocol=\"TCP\"].name": outer fields first.
  std::vector<std::string> paths() const;
  /// Puts `fields` there, if there are any.
  void put(const std::string& step, FieldSet fields);

  /// {"f:spec": {".": {}, "f:replicas": {}}}
  nlohmann::json to_json() const;
  /// Throws InputError for what is no FieldsV1.
  static FieldSet parse(const nlohmann::json& fields);
};

FieldSet united(FieldSet one, const FieldSet& other);
/// Those of `all` that aren't in `removed`; what is inside of a field that is removed stays.
FieldSet without(FieldSet all, const FieldSet& removed);
FieldSet shared(const FieldSet& one, const FieldSet& other);

}  // namespace knetsim::kube
