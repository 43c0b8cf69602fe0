#include "knetsim/kube/openapi.h"

#include <fmt/format.h>

#include <set>
#include <string>

#include "knetsim/kube/discovery.h"
#include "knetsim/kube/kinds.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// "api/v1", "apis/apps/v1"
std::string path_of(const Kind& kind) {
  return fmt::format("{}/{}", kind.group.empty() ? "api" : "apis", kind.api_version());
}

std::string component_name(std::string_view schema) { return fmt::format("io.k8s.api.{}", schema); }

json reference(const Schema& schema) {
  return {{"$ref", fmt::format("#/components/schemas/{}", component_name(schema.name))}};
}

json type_of(const Field& field) {
  switch (field.type) {
    case Type::boolean:
      return {{"type", "boolean"}};
    case Type::int32:
      return {{"type", "integer"}, {"format", "int32"}};
    case Type::int64:
      return {{"type", "integer"}, {"format", "int64"}};
    case Type::number:
      return {{"type", "number"}};
    case Type::time:
    case Type::micro_time:
      return {{"type", "string"}, {"format", "date-time"}};
    case Type::bytes:
      return {{"type", "string"}, {"format", "byte"}};
    case Type::int_or_string:
      return {{"oneOf", {{{"type", "integer"}}, {{"type", "string"}}}}, {"format", "int-or-string"}};
    case Type::quantity:
      return {{"oneOf", {{{"type", "string"}}, {{"type", "number"}}}}};
    case Type::object:
      return reference(*field.schema);
    case Type::any:
      return {{"type", "object"}};
    case Type::string:
      break;
  }
  return {{"type", "string"}};
}

json property_of(const Field& field) {
  json property;
  switch (field.shape) {
    case Shape::one:
      property = field.type == Type::object ? json{{"allOf", json::array({reference(*field.schema)})}} : type_of(field);
      break;
    case Shape::list:
      property = {{"type", "array"}, {"items", type_of(field)}};
      break;
    case Shape::map:
      property = {{"type", "object"}, {"additionalProperties", type_of(field)}};
      break;
  }
  if (!field.description.empty()) property["description"] = field.description;
  if (!field.fallback.empty()) property["default"] = field.fallback;
  if (!field.merge_key.empty()) property["x-kubernetes-patch-merge-key"] = field.merge_key;
  if (!field.merge_key.empty() || field.set)
    property["x-kubernetes-patch-strategy"] = field.retain_keys ? "merge,retainKeys" : "merge";
  if (field.shape == Shape::one && field.retain_keys) property["x-kubernetes-patch-strategy"] = "retainKeys";
  if (field.shape == Shape::list) {
    if (!field.apply_keys.empty()) {
      property["x-kubernetes-list-type"] = "map";
      property["x-kubernetes-list-map-keys"] = field.apply_keys;
    } else {
      property["x-kubernetes-list-type"] = field.set ? "set" : "atomic";
    }
  } else if (field.atomic) {
    property["x-kubernetes-map-type"] = "atomic";
  }
  return property;
}

json component(const Schema& schema, const Kind* kind) {
  json result{{"type", "object"}, {"description", schema.description}, {"properties", json::object()}};
  if (schema.atomic) result["x-kubernetes-map-type"] = "atomic";
  if (kind != nullptr) {
    result["properties"]["apiVersion"] = {{"type", "string"},
                                          {"description", "The version of the API that the object is written in."}};
    result["properties"]["kind"] = {{"type", "string"}, {"description", "What kind of object it is."}};
    result["x-kubernetes-group-version-kind"] =
        json::array({{{"group", kind->group}, {"version", kind->version}, {"kind", kind->kind}}});
  }
  for (const auto& field : schema.fields) {
    result["properties"][field.name] = property_of(field);
    if (field.required) result["required"].push_back(field.name);
  }
  return result;
}

/// The schema and all that it mentions.
void add_components(const Schema& schema, const Kind* kind, std::set<std::string_view>& seen, json& components) {
  if (!seen.insert(schema.name).second) return;
  components[component_name(schema.name)] = component(schema, kind);
  for (const auto& field : schema.fields)
    if (field.schema != nullptr) add_components(*field.schema, nullptr, seen, components);
}

json parameter(std::string_view name, std::string_view description) {
  return {{"name", name},
          {"in", "query"},
          {"description", description},
          {"schema", {{"type", "string"}, {"uniqueItems", true}}}};
}

json operation(const Kind& kind, std::string_view action) {
  const json answer{{"description", "OK"}, {"content", {{"application/json", {{"schema", reference(kind.schema())}}}}}};
  json result{
      {"x-kubernetes-action", action},
      {"x-kubernetes-group-version-kind", {{"group", kind.group}, {"version", kind.version}, {"kind", kind.kind}}},
      {"responses", {{"200", answer}}}};
  if (action == "get" || action == "list") return result;
  result["parameters"] = {parameter("dryRun", "All: nothing is stored."), parameter("fieldManager", "Who writes."),
                          parameter("fieldValidation", "Strict, Warn or Ignore: what is done about unknown fields.")};
  if (action == "patch")
    result["parameters"].push_back(parameter("force", "Server-side apply takes fields from others."));
  const json schema{{"schema", action == "patch" ? json{{"type", "object"}} : reference(kind.schema())}};
  if (action == "patch") {
    for (const auto* const type : {"application/apply-patch+yaml", "application/json-patch+json",
                                   "application/merge-patch+json", "application/strategic-merge-patch+json"})
      result["requestBody"]["content"][type] = schema;
  } else if (action != "delete") {
    result["requestBody"]["content"]["*/*"] = schema;
  }
  return result;
}

void add_paths(const Kind& kind, json& paths) {
  const auto collection =
      fmt::format("/{}/{}{}", path_of(kind), kind.namespaced ? "namespaces/{namespace}/" : "", kind.plural);
  paths[collection] = {{"get", operation(kind, "list")}, {"post", operation(kind, "post")}};
  paths[collection + "/{name}"] = {{"get", operation(kind, "get")},
                                   {"put", operation(kind, "put")},
                                   {"patch", operation(kind, "patch")},
                                   {"delete", operation(kind, "delete")}};
}

}  // namespace

json openapi_index() {
  json paths = json::object();
  for (const auto& kind : kinds()) {
    const auto path = path_of(kind);
    if (paths.contains(path)) continue;
    paths[path]["serverRelativeURL"] =
        fmt::format("/openapi/v3/{}?hash={}", path, text_hash(openapi_document(path)->dump()));
  }
  return {{"paths", std::move(paths)}};
}

std::optional<json> openapi_document(std::string_view path) {
  json paths = json::object();
  json components = json::object();
  std::set<std::string_view> seen;
  for (const auto& kind : kinds()) {
    if (path_of(kind) != path) continue;
    add_paths(kind, paths);
    add_components(kind.schema(), &kind, seen, components);
  }
  if (paths.empty()) return std::nullopt;
  return json{{"openapi", "3.0.0"},
              {"info", {{"title", "Kubernetes"}, {"version", "unversioned"}}},
              {"paths", std::move(paths)},
              {"components", {{"schemas", std::move(components)}}}};
}

}  // namespace knetsim::kube
