#include "targets.h"

#include <stdexcept>

#include "knetsim/kube/access.h"
#include "knetsim/kube/allocate.h"
#include "knetsim/kube/endpoint_slices.h"
#include "knetsim/kube/manifest.h"
#include "knetsim/kube/patch.h"
#include "knetsim/kube/prepare.h"
#include "knetsim/kube/reader.h"
#include "knetsim/kube/selector.h"
#include "knetsim/kube/table.h"
#include "knetsim/sys/base64.h"

namespace knetsim::kube::fuzz {
namespace {

using nlohmann::json;

/// `kubectl create service nodeport`, `deployment`, `ingress`, `configmap`.
constexpr std::string_view kWireSeeds[] = {
    "azhzAAoNCgJ2MRIHU2VydmljZRKKAQofCgN3ZWISABoAIgAqADIAOABCAFoKCgNhcHASA3dlYhJjCh0KBzgwLTgwODASA1RDUBhQIgcIABCQPxoAKI"
    "DrAQoeCgY1My1kbnMSA1RDUBg1IgkIARAAGgNkbnMogOsBEgoKA2FwcBIDd2ViGgAiCE5vZGVQb3J0OgBCAFIAWgBgAGgAGgIKABoAIgA=",
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EtEBCh8KA3dlYhIAGgAiACoAMgA4AEIAWgoKA2FwcBIDd2ViEp8BCAMSDAoKCgNhcHASA3dlYhqEAQ"
    "ocCgASABoAIgAqADIAOABCAFoKCgNhcHASA3dlYhJkEiIKBW5naW54EgVuZ2lueCoAQgBqAHIAgAEAiAEAkAEAogEAEiIKBXJlZGlzEgVyZWRpcyoA"
    "QgBqAHIAgAEAiAEAkAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA",
    "azhzAAofChRuZXR3b3JraW5nLms4cy5pby92MRIHSW5ncmVzcxJnChsKA3dheRIAGgAiACoAMgA4AEIAYgYKAWESAWISRBISCgdmb28uY29tEgdteS"
    "1jZXJ0Gi4KB2Zvby5jb20SIwohCh8KBC9iYXISDyINCgRzdmMxEgUKABCQPxoGUHJlZml4GgIKABoAIgA=",
    "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEiAKEwoDYmluEgAaACIAKgAyADgAQgAaCQoBeBIEAf8AehoAIgA="};

const Kind& kind_by(unsigned char choice) { return kinds()[choice % kinds().size()]; }

Taken none_taken() {
  return {.address = [](const auto&) { return false; }, .node_port = [](auto, const auto&) { return false; }};
}

/// A client's object on its whole way: read, created, shown, changed, deleted.
void live(const Kind& kind, std::string_view text) {
  auto sent = read_object(kind, text, FieldValidation::warn, {.size = 1U << 16U, .depth = 50}).object;
  const auto object = prepare_create(
      kind, sent, {.ns = kind.namespaced ? "shop" : "", .name = {}, .uid = "u", .suffix = "abcde", .now = {}},
      [&](json& made) {
        if (kind.kind == "Service") allocate(made, nullptr, {}, none_taken(), [] { return std::uint64_t{1}; });
      });
  table_row(kind, object, {});
  prepare_update(kind, object, sent);
  prepare_status_update(kind, object, sent);
  const std::vector<json> objects{object};
  if (kind.kind == "Service") slice_changes({.service = object, .pods = {}, .nodes = {}, .existing = {}});
  if (kind.kind == "Pod") endpoints_of({{"spec", {{"selector", member(object, "metadata", "labels")}}}}, objects);
  prepare_delete(kind, object, {}, {});
}

void read_any(std::string_view bytes) {
  if (bytes.empty()) return;
  live(kind_by(static_cast<unsigned char>(bytes.front())), bytes.substr(1));
}

void read_wire(std::string_view bytes) {
  const auto object = read_protobuf_body(bytes, {.size = 1U << 16U, .depth = 50});
  const auto* const kind = kind_of(object.at("apiVersion").get<std::string>(), object.at("kind").get<std::string>());
  live(*kind, object.dump());
}

/// The first byte chooses kind and type, a line break parts object and patch.
void patch_any(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (bytes.empty() || end == std::string_view::npos) return;
  const auto choice = static_cast<unsigned char>(bytes.front());
  const ReadLimits limits{.size = 1U << 16U, .depth = 50};
  const auto object = read_json_body(bytes.substr(1, end - 1), "object", limits);
  const auto patch = read_json_body(bytes.substr(end + 1), "patch", limits);
  if (!object.is_object()) return;
  constexpr PatchType types[] = {PatchType::json, PatchType::merge, PatchType::strategic};
  const auto& kind = kind_by(static_cast<unsigned char>(choice / 3));
  read_object(kind, patched(kind, types[choice % 3], object, patch), FieldValidation::warn);
}

/// The first byte chooses the kind, a line break parts what is there and what is applied.
void apply_any(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (bytes.empty() || end == std::string_view::npos) return;
  const auto& kind = kind_by(static_cast<unsigned char>(bytes.front()));
  const ReadLimits limits{.size = 1U << 16U, .depth = 50};
  auto live = read_json_body(bytes.substr(1, end - 1), "object", limits);
  auto config = read_json_body(bytes.substr(end + 1), "patch", limits);
  if (!live.is_object() || !config.is_object()) return;
  config["apiVersion"] = kind.api_version();
  config["kind"] = kind.kind;
  live = read_object(kind, live, FieldValidation::ignore).object;
  const Author author{.manager = "kubectl", .subresource = {}, .now = {}};
  const auto once = server_side_apply(kind, live, config, author, true);
  auto object = read_object(kind, once, FieldValidation::ignore).object;
  note_authors(kind, live, object, author);
  server_side_apply(kind, nullptr, config, author, false);
}

void select_any(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto text = bytes.substr(1);
  const json object{{"metadata", {{"name", "a"}, {"labels", {{"app", "web"}}}}}};
  if (bytes.front() % 2 == 0) {
    LabelSelector::parse(text).matches(object);
  } else {
    FieldSelector::parse(kind_by(static_cast<unsigned char>(bytes.front() / 2)), text).matches(object);
  }
}

void read_manifest(std::string_view bytes) {
  read_manifests("fuzz.yaml", bytes, {.size = 1U << 16U, .depth = 50, .nodes = 10'000, .objects = 100});
}

/// Refusals are answers; anything else isn't.
std::function<void(std::string_view)> refusing(void (*target)(std::string_view)) {
  return [target](std::string_view bytes) {
    try {
      target(bytes);
    } catch (const ApiError&) {
    } catch (const InputError&) {
    }
  };
}

}  // namespace

const std::map<std::string, std::function<void(std::string_view)>>& targets() {
  static const std::map<std::string, std::function<void(std::string_view)>> all{
      {"apply", refusing(apply_any)}, {"manifest", refusing(read_manifest)}, {"object", refusing(read_any)},
      {"patch", refusing(patch_any)}, {"protobuf", refusing(read_wire)},     {"selector", refusing(select_any)}};
  return all;
}

std::vector<std::string> seeds(const std::string& target) {
  if (target == "selector")
    return {std::string(1, 2) + "app in (web,api),!old,n>3",
            std::string(1, 11) + "spec.nodeName=w1,status.phase!=Failed"};
  if (target == "protobuf") {
    std::vector<std::string> bodies;
    for (const std::string_view text : kWireSeeds) bodies.push_back(*base64_decode(text));
    return bodies;
  }
  if (target == "manifest") {
    return {
        "apiVersion: v1\nkind: List\nitems:\n- &a {apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}}\n- "
        "*a\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  <<: {replicas: 2}\n  template: {spec: {containers: [{name: a, "
        "image: \"x\"}]}}\n",
        R"({"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}})"};
  }
  const std::vector<std::string> objects{
      R"({"metadata":{"name":"a","labels":{"app":"web"},"finalizers":["x/y"]},"data":{"a":"Yg=="},"immutable":true})",
      R"({"metadata":{"name":"a"},"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local","clusterIP":"10.96.0.9","sessionAffinity":"ClientIP","selector":{"a":"b"},"ports":[{"port":80,"name":"x","targetPort":"http","nodePort":30001},{"port":53,"name":"y","protocol":"UDP"}]}})",
      R"({"metadata":{"generateName":"a-"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"strategy":{"rollingUpdate":{"maxSurge":1}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"nodeName":"w1","containers":[{"name":"c","image":"x:1","ports":[{"containerPort":80,"name":"http"}],"readinessProbe":{"httpGet":{"port":80}},"resources":{"limits":{"cpu":"0.5"}},"env":[{"name":"A","value":"b"}],"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v"}]}}},"status":{"replicas":1}})",
      R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"x"}],"nodeName":"w1","hostNetwork":true},"status":{"phase":"Running","podIP":"10.0.0.1","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"c","ready":true,"state":{"running":{"startedAt":null}}}]}})",
      R"({"metadata":{"name":"a"},"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true}}],"ports":[{"port":80}]})",
      R"({"metadata":{"name":"a"},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}},{"podSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}],"ports":[{"port":"http"},{"port":80,"endPort":81}]}],"rules":[{"host":"a.b","http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":"a","port":{"number":80}}}}]}}]}})"};
  std::vector<std::string> all;
  for (std::size_t i = 0; i < kinds().size(); ++i) {
    for (const auto& object : objects) {
      if (target == "apply") {
        auto live = json::parse(object);
        live["metadata"]["managedFields"] = json::parse(
            R"([{"manager":"kubectl","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{"f:app":{}},"f:finalizers":{"v:\"x/y\"":{}}},"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}},"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{}}}}}},{"manager":"b","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}}}])");
        all.push_back(static_cast<char>(i) + live.dump() + "\n" + object);
      }
      if (target == "object") all.push_back(static_cast<char>(i) + object);
      for (std::size_t type = 0; target == "patch" && type < 3; ++type) {
        const auto* const patch =
            type == 0
                ? R"([{"op":"copy","from":"/spec","path":"/status"},{"op":"remove","path":"/metadata/labels"}])"
                : R"({"spec":{"$setElementOrder/ports":[{"port":80}],"ports":[{"port":80,"$patch":"delete"},{"port":81}],"strategy":{"$retainKeys":["type"]}},"metadata":{"$deleteFromPrimitiveList/finalizers":["x/y"],"labels":null}})";
        all.push_back(static_cast<char>(i * 3 + type) + object + "\n" + patch);
      }
    }
  }
  return all;
}

}  // namespace knetsim::kube::fuzz
