#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/kube/schema.h"
#include "knetsim/kube/status.h"
#include "knetsim/kube/time.h"

namespace knetsim::kube {

/// A column of a Table (meta.k8s.io/v1 TableColumnDefinition). Priority 1 is shown by `-o wide` alone.
struct Column {
  std::string_view name;
  std::string_view type = "string";
  std::string_view format = {};  ///< "name" marks the object's name
  int priority = 0;
  std::string_view description = {};
};

/// What hangs on an object: pods/log, deployments/scale.
struct Subresource {
  std::string_view name;     ///< "scale"
  std::string_view group;    ///< of what it answers with; empty with an empty version: that of the object
  std::string_view version;  ///< "v1"
  std::string_view kind;     ///< "Scale"
  std::vector<std::string_view> verbs = {};
};

/// A field of fieldSelector, and what it reads.
struct SelectableField {
  std::string_view name;  ///< "spec.nodeName"
  std::string_view path;  ///< "/spec/nodeName" (RFC 6901); what isn't there reads as `absent`
  std::string_view absent = {};
};

/// A kind of object and all that is known of it: discovery, OpenAPI, Tables, storage, patches, defaults and validation
/// are made from these rows and from nothing else.
struct Kind {
  std::string_view group = {};  ///< "" is the core group
  std::string_view version = {};
  std::string_view kind = {};
  std::string_view plural = {};  ///< "services"
  std::string_view singular = {};
  std::vector<std::string_view> short_names = {};
  std::vector<std::string_view> categories = {};
  bool namespaced = true;
  std::vector<std::string_view> verbs = {};
  bool has_status = false;  ///< with subresource status: a write to the object leaves status alone, and the other way
  bool returns_deleted = false;   ///< a DELETE is answered with the object that was, else with a Status
  bool has_generation = false;    ///< metadata.generation is 1 at first and grows with every change of spec
  std::string_view storage = {};  ///< "services/specs": the object lies under /registry/<storage>[/<namespace>]/<name>
  std::vector<Subresource> subresources = {};  ///< in the order of their names, status and scale among them
  std::vector<Column> columns = {};
  std::vector<SelectableField> fields = {};  ///< beside metadata.name and metadata.namespace

  // The rules. None is null but where that is said.
  void (*fill_in)(nlohmann::json& object) = nullptr;  ///< upstream's defaults
  /// The rules of an object, new or changed; metadata is looked at elsewhere.
  void (*validate)(const nlohmann::json& object, FieldErrors& errors) = nullptr;
  void (*validate_change)(const nlohmann::json& object, const nlohmann::json& old, FieldErrors& errors) = nullptr;
  std::vector<nlohmann::json> (*row)(const nlohmann::json& object, Time now) = nullptr;  ///< as many cells as columns
  /// Complaints about the name, empty if it is good; null: a DNS subdomain (RFC 1123).
  std::string (*name_problem)(std::string_view name) = nullptr;
  /// What a new object gets that no default is: a first status. Null: nothing.
  void (*begin)(nlohmann::json& object) = nullptr;
  /// What an update takes over from what was there, before it is checked. Null: nothing.
  void (*carry_over)(nlohmann::json& object, const nlohmann::json& old) = nullptr;

  std::string api_version() const;  ///< "v1", "apps/v1"
  std::string list_kind() const { return std::string(kind) + "List"; }
  const Subresource* subresource(std::string_view wanted) const;
  bool allows(std::string_view verb) const;
  /// "/registry/services/specs/shop/web"; without a name the prefix of all in the namespace, without a namespace of all
  /// there are. Prefixes end in "/".
  std::string key(std::string_view ns = {}, std::string_view name = {}) const;
  const Schema& schema() const;
};

/// All of them, by group and name of the resource; the core group first.
std::span<const Kind> kinds();
/// Null if there is none.
const Kind* find(std::string_view group, std::string_view version, std::string_view plural);
/// "apps/v1", "Deployment". Null if there is none.
const Kind* kind_of(std::string_view api_version, std::string_view kind);
/// The kind that must be there: a programming error else.
const Kind& must_be(std::string_view plural, std::string_view group = {});
/// Whether any resource is served in it.
bool has_group_version(std::string_view group, std::string_view version);

}  // namespace knetsim::kube
