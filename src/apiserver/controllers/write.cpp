#include "write.h"

#include <fmt/format.h>

#include "knetsim/kube/access.h"

namespace knetsim::controllers {

std::string collection_of(const kube::Kind& kind, const std::string& ns) {
  auto path =
      kind.group.empty() ? fmt::format("/api/{}", kind.version) : fmt::format("/apis/{}/{}", kind.group, kind.version);
  if (kind.namespaced && !ns.empty()) path += "/namespaces/" + ns;
  return fmt::format("{}/{}", path, kind.plural);
}

std::string target_of(const kube::Kind& kind, const json& object) {
  return fmt::format("{}/{}", collection_of(kind, kube::namespace_of(object)), kube::name_of(object));
}

Write create(const kube::Kind& kind, json object) {
  auto target = collection_of(kind, kube::namespace_of(object));
  return {.kind = &kind, .method = "POST", .target = std::move(target), .body = std::move(object)};
}

Write replace(const kube::Kind& kind, json object) {
  auto target = target_of(kind, object);
  return {.kind = &kind, .method = "PUT", .target = std::move(target), .body = std::move(object)};
}

Write replace_status(const kube::Kind& kind, json object) {
  auto target = target_of(kind, object) + "/status";
  return {.kind = &kind, .method = "PUT", .target = std::move(target), .body = std::move(object)};
}

Write merge(const kube::Kind& kind, const json& object, json patch) {
  return {.kind = &kind,
          .method = "PATCH",
          .target = target_of(kind, object),
          .body = std::move(patch),
          .type = "application/merge-patch+json"};
}

Write remove(const kube::Kind& kind, const json& object, const std::string& propagation) {
  json options{{"kind", "DeleteOptions"}, {"apiVersion", "v1"}, {"preconditions", {{"uid", uid_of(object)}}}};
  if (!propagation.empty()) options["propagationPolicy"] = propagation;
  return {.kind = &kind,
          .method = "DELETE",
          .target = target_of(kind, object),
          .body = std::move(options),
          .removed = object};
}

Write remove_all(const kube::Kind& kind, const std::string& ns) {
  return {.kind = &kind, .method = "DELETE", .target = collection_of(kind, ns)};
}

Write event(const View& view, const json& about, const char* component, const char* type, const char* reason,
            const std::string& message) {
  const auto& ns = kube::namespace_of(about);
  const auto time = kube::timestamp(view.now);
  json reference{{"apiVersion", kube::text_at(about, "apiVersion")},
                 {"kind", kube::text_at(about, "kind")},
                 {"name", kube::name_of(about)},
                 {"uid", uid_of(about)},
                 {"resourceVersion", kube::text_at(about, "metadata", "resourceVersion")}};
  if (!ns.empty()) reference["namespace"] = ns;
  return create(kube::must_be("events"), {{"apiVersion", "v1"},
                                          {"kind", "Event"},
                                          {"metadata",
                                           {{"name", fmt::format("{}.{:016x}", kube::name_of(about), view.random())},
                                            {"namespace", ns.empty() ? "default" : ns}}},
                                          {"involvedObject", std::move(reference)},
                                          {"reason", reason},
                                          {"message", message},
                                          {"source", {{"component", component}}},
                                          {"reportingComponent", component},
                                          {"reportingInstance", ""},
                                          {"firstTimestamp", time},
                                          {"lastTimestamp", time},
                                          {"count", 1},
                                          {"type", type}});
}

json controller_reference(const json& owner) {
  return {{"apiVersion", kube::text_at(owner, "apiVersion")},
          {"kind", kube::text_at(owner, "kind")},
          {"name", kube::name_of(owner)},
          {"uid", uid_of(owner)},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

}  // namespace knetsim::controllers
