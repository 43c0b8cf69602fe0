#include "knetsim/kube/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLargestAnnotations = 256 * 1024;
constexpr std::size_t kLongestGeneratedPrefix = 58;  // with five letters a DNS label
constexpr std::int64_t kDefaultGrace = 30;

std::string name_problem_of(const Kind& kind, std::string_view name) {
  return kind.name_problem != nullptr ? kind.name_problem(name) : dns1123_subdomain_problem(name);
}

void validate_annotations(const json& annotations, FieldErrors& errors) {
  if (!annotations.is_object()) return;
  std::size_t bytes = 0;
  for (const auto& [key, value] : annotations.items()) {
    std::string lower(key);
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    if (const auto problem = qualified_name_problem(lower); !problem.empty())
      errors.invalid("metadata.annotations", key, problem);
    bytes += key.size() + text_in(value).size();
  }
  if (bytes > kLargestAnnotations) errors.too_long("metadata.annotations", kLargestAnnotations);
}

void validate_owners(const json& metadata, FieldErrors& errors) {
  const auto& owners = list_at(metadata, "ownerReferences");
  std::size_t controllers = 0;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    for (const auto* const key : {"apiVersion", "kind", "name", "uid"}) {
      const auto& value = text_at(owners[i], key);
      if (value.empty()) {
        errors.invalid(fmt::format("metadata.ownerReferences[{}].{}", i, key), value,
                       std::string_view(key) == "apiVersion" ? "version must not be empty" : "must not be empty");
      }
    }
    controllers += bool_at(owners[i], "controller") ? 1 : 0;
  }
  if (controllers > 1) {
    errors.invalid("metadata.ownerReferences", owners.size(), "Only one reference can have Controller set to true");
  }
}

void validate_metadata(const Kind& kind, const json& object, FieldErrors& errors) {
  const auto& metadata = member(object, "metadata");
  const auto& name = text_at(metadata, "name");
  const auto& prefix = text_at(metadata, "generateName");
  if (!prefix.empty()) {
    // The prefix of a good name, whatever follows.
    const auto problem = name_problem_of(kind, prefix.ends_with('-') || prefix.ends_with('.') ? prefix + "a" : prefix);
    if (!problem.empty()) errors.invalid("metadata.generateName", prefix, problem);
  }
  if (name.empty()) {
    errors.required("metadata.name", "name or generateName is required");
  } else if (const auto problem = name_problem_of(kind, name); !problem.empty()) {
    errors.invalid("metadata.name", name, problem);
  }
  if (kind.namespaced && text_at(metadata, "namespace").empty()) errors.required("metadata.namespace");
  if (!kind.namespaced && !text_at(metadata, "namespace").empty()) {
    errors.forbidden("metadata.namespace", "not allowed on this type");
  }
  validate_labels(member(metadata, "labels"), "metadata.labels", errors);
  validate_annotations(member(metadata, "annotations"), errors);
  validate_owners(metadata, errors);
  for (const auto& finalizer : list_at(metadata, "finalizers")) {
    const auto problem = qualified_name_problem(text_in(finalizer));
    if (!problem.empty()) errors.invalid("metadata.finalizers", finalizer, problem);
  }
}

void check(const Kind& kind, const json& object, const json* old) {
  FieldErrors errors;
  validate_metadata(kind, object, errors);
  kind.validate(object, errors);
  if (old != nullptr) kind.validate_change(object, *old, errors);
  if (!errors.empty()) throw invalid(kind, name_of(object), errors);
}

/// Members of `from` in `into`, or gone from there if they aren't in `from`.
void keep(json& into, const json& from, std::initializer_list<const char*> keys) {
  for (const auto* const key : keys) {
    const auto found = from.find(key);
    if (found != from.end()) {
      into[key] = *found;
    } else {
      into.erase(key);
    }
  }
}

void check_names(const json& object, std::string_view ns, std::string_view name) {
  const auto& sent_name = name_of(object);
  if (!name.empty() && !sent_name.empty() && sent_name != name) {
    throw bad_request(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", sent_name, name));
  }
  const auto& sent_ns = namespace_of(object);
  if (!ns.empty() && !sent_ns.empty() && sent_ns != ns) {
    throw bad_request("the namespace of the provided object does not match the namespace sent on the request");
  }
}

/// What may be changed of nobody: identity, and the deletion that is under way.
void keep_identity(const Kind& kind, const json& old, json& object) {
  const auto& before = member(old, "metadata");
  auto& metadata = object["metadata"];
  const auto& version = text_at(metadata, "resourceVersion");
  if (!version.empty() && version != text_at(before, "resourceVersion")) throw modified(kind, name_of(old));
  const auto& uid = text_at(metadata, "uid");
  if (!uid.empty() && uid != text_at(before, "uid")) {
    throw uid_mismatch(kind, namespace_of(old), name_of(old), uid, text_at(before, "uid"));
  }
  keep(metadata, before,
       {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion",
        "generateName", "selfLink", "namespace", "name"});
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.kind;
}

/// Without what isn't wanted of it, but noted by others.
json wanted_part(const Kind& kind, json object) {
  object.erase("metadata");
  if (kind.has_status) object.erase("status");
  return object;
}

/// An emptied map is no map, as Go's encoder has it.
void drop_emptied(json& metadata) {
  for (const auto* const key : {"labels", "annotations", "finalizers", "ownerReferences", "managedFields"}) {
    const auto found = metadata.find(key);
    if (found != metadata.end() && (found->is_null() || found->empty())) metadata.erase(found);
  }
}

}  // namespace

std::string name_suffix(std::uint64_t random) {
  constexpr std::string_view letters = "bcdfghjklmnpqrstvwxz2456789";
  std::string suffix;
  for (int i = 0; i < 5; ++i, random /= letters.size()) suffix += letters[random % letters.size()];
  return suffix;
}

json prepare_create(const Kind& kind, json object, const Birth& birth, const std::function<void(json& object)>& give) {
  check_names(object, birth.ns, birth.name);
  if (!object["metadata"].is_object()) object["metadata"] = json::object();
  auto& metadata = object["metadata"];
  if (!text_at(metadata, "resourceVersion").empty()) {
    throw plain_failure(500, "resourceVersion should not be set on objects to be created");
  }
  for (const auto* const key : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                                "generation", "selfLink", "resourceVersion"})
    metadata.erase(key);
  if (const auto& prefix = text_at(metadata, "generateName"); text_at(metadata, "name").empty() && !prefix.empty()) {
    metadata["name"] = prefix.substr(0, kLongestGeneratedPrefix) + birth.suffix;
  }
  if (kind.namespaced) metadata["namespace"] = birth.ns;
  metadata["uid"] = birth.uid;
  metadata["creationTimestamp"] = timestamp(birth.now);
  if (kind.has_generation) metadata["generation"] = 1;
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.kind;
  if (kind.has_status)
    object["status"] = kind.schema().field("status")->schema != nullptr
                           ? decode(*kind.schema().field("status")->schema, json::object()).value
                           : json::object();
  kind.fill_in(object);
  // What is given from here on is nobody's, as upstream.
  if (birth.author) note_authors(kind, nullptr, object, *birth.author);
  if (kind.begin != nullptr) kind.begin(object);
  drop_emptied(metadata);
  if (give) give(object);
  check(kind, object, nullptr);
  if (kind.kind == "Pod" && !list_at(object, "spec", "ephemeralContainers").empty()) {
    FieldErrors errors;
    errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
    throw invalid(kind, name_of(object), errors);
  }
  return object;
}

json prepare_update(const Kind& kind, const json& old, json object, const std::optional<Author>& author) {
  check_names(object, namespace_of(old), name_of(old));
  keep_identity(kind, old, object);
  if (kind.has_status) keep(object, old, {"status"});
  kind.fill_in(object);
  if (author) note_authors(kind, old, object, *author);
  if (kind.carry_over != nullptr) kind.carry_over(object, old);
  // Only subresource finalize lets a namespace go.
  if (kind.kind == "Namespace") keep(object, old, {"spec"});
  drop_emptied(object["metadata"]);
  if (kind.has_generation && wanted_part(kind, object) != wanted_part(kind, old)) {
    object["metadata"]["generation"] = number_at(old, "metadata", "generation") + 1;
  }
  check(kind, object, &old);
  keep_idle_times(old, object);
  return object;
}

json prepare_status_update(const Kind& kind, const json& old, json object, const std::optional<Author>& author) {
  check_names(object, namespace_of(old), name_of(old));
  keep_identity(kind, old, object);
  auto result = old;
  const auto status = object.find("status");
  if (status != object.end()) {
    result["status"] = *status;
  } else {
    result.erase("status");
  }
  if (const auto& fields = member(object, "metadata", "managedFields"); !fields.is_null()) {
    result["metadata"]["managedFields"] = fields;
  }
  kind.fill_in(result);
  if (author) note_authors(kind, old, result, *author);
  check(kind, result, nullptr);
  keep_idle_times(old, result);
  return result;
}

json prepare_ephemeral_containers(const Kind& kind, const json& old, json object, const std::optional<Author>& author) {
  check_names(object, namespace_of(old), name_of(old));
  keep_identity(kind, old, object);
  auto result = old;
  if (const auto& containers = member(object, "spec", "ephemeralContainers"); !containers.is_null())
    result["spec"]["ephemeralContainers"] = containers;
  else
    result["spec"].erase("ephemeralContainers");
  kind.fill_in(result);
  if (author) note_authors(kind, old, result, *author);
  FieldErrors errors;
  validate_ephemeral_containers(result, old, errors);
  if (!errors.empty()) throw invalid(kind, name_of(old), errors);
  check(kind, result, nullptr);
  return result;
}

json prepare_finalize(const Kind& kind, const json& old, json object) {
  keep_identity(kind, old, object);
  auto result = old;
  result["spec"] = object.contains("spec") ? object["spec"] : json::object();
  return result;
}

json scale_of(const Kind&, const json& object) {
  json metadata = json::object();
  for (const auto* const key : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"})
    if (const auto& value = member(object, "metadata", key); !value.is_null()) metadata[key] = value;
  json scale{{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}, {"metadata", std::move(metadata)}};
  scale["spec"] = json::object();
  if (const auto replicas = number_at(object, "spec", "replicas"); replicas != 0) scale["spec"]["replicas"] = replicas;
  scale["status"] = {{"replicas", number_at(object, "status", "replicas")}};
  const auto selector = selector_text(member(object, "spec", "selector"));
  if (!selector.empty()) scale["status"]["selector"] = selector;
  return scale;
}

json with_scale(const Kind& kind, const json& old, const json& scale, const std::optional<Author>& author) {
  auto object = old;
  check_names(scale, namespace_of(object), name_of(object));
  const auto& version = text_at(scale, "metadata", "resourceVersion");
  if (!version.empty() && version != text_at(object, "metadata", "resourceVersion"))
    throw modified(kind, name_of(object));
  const auto replicas = number_at(scale, "spec", "replicas");
  if (replicas < 0 || replicas > std::numeric_limits<std::int32_t>::max()) {
    FieldErrors errors;
    errors.invalid("spec.replicas", replicas, "must be greater than or equal to 0");
    auto [reason, field, message] = errors.all().front();
    throw ApiError(422, "Invalid",
                   fmt::format("Scale.autoscaling \"{}\" is invalid: {}: {}", name_of(object), field, message),
                   {{"name", name_of(object)},
                    {"group", "autoscaling"},
                    {"kind", "Scale"},
                    {"causes", json::array({{{"reason", reason}, {"message", message}, {"field", field}}})}});
  }
  object["spec"]["replicas"] = replicas;
  return prepare_update(kind, old, std::move(object), author);
}

json with_applied_scale(const Kind& kind, const json& old, const json& config, const Author& author, bool force) {
  if (text_at(config, "apiVersion") != "autoscaling/v1" || text_at(config, "kind") != "Scale")
    throw bad_request("invalid object type: a Scale of autoscaling/v1 is applied here");
  (void)with_scale(kind, old, config);  // what it complains of
  json own{{"apiVersion", kind.api_version()},
           {"kind", kind.kind},
           {"metadata", {{"name", name_of(old)}, {"namespace", namespace_of(old)}}}};
  if (const auto& replicas = member(config, "spec", "replicas"); replicas.is_number())
    own["spec"]["replicas"] = replicas;
  return prepare_update(kind, old, server_side_apply(kind, old, own, author, force));
}

json bound_pod(const Kind& kind, json pod, const std::string& node, Time now) {
  const auto& before = text_at(pod, "spec", "nodeName");
  const auto& name = name_of(pod);
  if (!text_at(pod, "metadata", "deletionTimestamp").empty()) {
    throw conflict(kind, name, fmt::format("pod {} is being deleted, cannot be assigned to a host", name));
  }
  if (!before.empty())
    throw conflict(kind, name, fmt::format("pod {} is already assigned to node \"{}\"", name, before));
  pod["spec"]["nodeName"] = node;
  auto conditions = json::array();
  for (const auto& each : list_at(pod, "status", "conditions"))
    if (text_at(each, "type") != "PodScheduled") conditions.push_back(each);
  conditions.push_back({{"type", "PodScheduled"},
                        {"status", "True"},
                        {"lastProbeTime", nullptr},
                        {"lastTransitionTime", timestamp(now)}});
  pod["status"]["conditions"] = std::move(conditions);
  return pod;
}

json evicted_pod(json pod, Time now) {
  auto conditions = json::array();
  for (const auto& each : list_at(pod, "status", "conditions")) {
    if (text_at(each, "type") != "DisruptionTarget")
      conditions.push_back(each);
    else if (text_at(each, "status") == "True")
      return pod;
  }
  conditions.push_back({{"type", "DisruptionTarget"},
                        {"status", "True"},
                        {"lastProbeTime", nullptr},
                        {"lastTransitionTime", timestamp(now)},
                        {"reason", "EvictionByEvictionAPI"},
                        {"message", "Eviction API: evicting"}});
  pod["status"]["conditions"] = std::move(conditions);
  return pod;
}

Deletion prepare_delete(const Kind& kind, json object, const DeleteOptions& options, Time now) {
  auto& metadata = object["metadata"];
  if (options.propagation == "Orphan" || options.propagation == "Foreground") {
    const auto* const finalizer = options.propagation == "Orphan" ? "orphan" : "foregroundDeletion";
    auto& finalizers = metadata["finalizers"];
    if (!finalizers.is_array()) finalizers = json::array();
    if (std::ranges::find(finalizers, finalizer) == finalizers.end()) finalizers.push_back(finalizer);
  }
  const bool is_pod = kind.kind == "Pod";
  std::int64_t grace = 0;
  if (is_pod) {
    const auto& own = member(object, "spec", "terminationGracePeriodSeconds");
    grace = options.grace_seconds.value_or(own.is_number() ? number_in(own) : kDefaultGrace);
    const auto& phase = text_at(object, "status", "phase");
    if (text_at(object, "spec", "nodeName").empty() || phase == "Failed" || phase == "Succeeded") grace = 0;
    grace = std::max<std::int64_t>(grace, 0);
  }
  const bool held = !list_at(metadata, "finalizers").empty() || !list_at(object, "spec", "finalizers").empty();
  if (grace == 0 && !held) {
    if (is_pod) {
      metadata["deletionTimestamp"] = timestamp(now);
      metadata["deletionGracePeriodSeconds"] = 0;
    }
    return {.now = true, .object = std::move(object)};
  }
  // A deletion that is under way is only ever made shorter.
  const bool under_way = metadata.contains("deletionTimestamp");
  if (!under_way || number_at(metadata, "deletionGracePeriodSeconds") > grace) {
    if (!under_way && kind.has_generation) metadata["generation"] = number_at(metadata, "generation") + 1;
    metadata["deletionTimestamp"] = timestamp(now + std::chrono::seconds(grace));
    if (kind.kind != "Namespace") metadata["deletionGracePeriodSeconds"] = grace;
  }
  if (kind.kind == "Namespace") object["status"]["phase"] = "Terminating";
  return {.now = false, .object = std::move(object)};
}

json answer_to_deletion(const Kind& kind, const json& object) {
  return kind.returns_deleted ? object : success_of_deletion(kind, name_of(object), text_at(object, "metadata", "uid"));
}

bool is_gone(const Kind& kind, const json& object) {
  const auto& metadata = member(object, "metadata");
  if (text_at(metadata, "deletionTimestamp").empty() || !list_at(metadata, "finalizers").empty()) return false;
  if (kind.kind == "Namespace" && !list_at(object, "spec", "finalizers").empty()) return false;
  return number_at(metadata, "deletionGracePeriodSeconds") == 0;
}

}  // namespace knetsim::kube
