#include "body.h"

#include <fmt/format.h>

#include "knetsim/kube/status.h"
#include "knetsim/sys/json_place.h"
#include "knetsim/sys/text.h"
#include "media.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

enum class Encoding { json, yaml, protobuf };
constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

Encoding encoding_of(const Request& request) {
  const auto name = media_type(request.content_type).name;
  if (name.empty() || name == "application/json") return Encoding::json;
  if (name == "application/yaml") return Encoding::yaml;
  if (name == kProtobuf) return Encoding::protobuf;
  throw kube::unsupported_body({"application/json", "application/yaml", std::string(kProtobuf)});
}

/// Throws InputError.
SentDeleteOptions delete_options_at(const JsonPlace& place) {
  SentDeleteOptions options;
  if (const auto grace = place.find("gracePeriodSeconds")) options.grace_seconds = grace->integer<std::int64_t>();
  place.take("propagationPolicy", options.propagation, &JsonPlace::string);
  if (const auto preconditions = place.find("preconditions")) {
    preconditions->take("uid", options.uid, &JsonPlace::string);
    preconditions->take("resourceVersion", options.resource_version, &JsonPlace::string);
  }
  for (const auto& word : place.each("dryRun", &JsonPlace::string)) options.dry = options.dry || word == "All";
  return options;
}

}  // namespace

kube::ReadObject read_body(const kube::Kind& kind, const Request& request, kube::FieldValidation validation) {
  const auto encoding = encoding_of(request);
  if (encoding == Encoding::json) return kube::read_object(kind, std::string_view(request.body), validation);
  if (encoding == Encoding::protobuf)
    return kube::read_object(kind, kube::read_protobuf_body(request.body), validation);
  return kube::read_object(kind, kube::read_yaml_body(request.body, kind.kind), validation);
}

json read_json(const Request& request, std::string_view what) {
  const auto name = media_type(request.content_type).name;
  if (name == kProtobuf) throw kube::unsupported_body({"application/json", "application/yaml"});
  const bool yaml = name == "application/yaml" || name == "application/apply-patch+yaml";
  return yaml ? kube::read_yaml_body(request.body, what) : kube::read_json_body(request.body, what);
}

bool is_apply(const Request& request) {
  return media_type(request.content_type).name == "application/apply-patch+yaml";
}

json read_token_request(const Request& request) {
  if (request.body.empty()) return json::object();
  return encoding_of(request) == Encoding::protobuf ? kube::read_protobuf_body(request.body)
                                                    : read_json(request, "TokenRequest");
}

kube::PatchType patch_type(const Request& request) {
  const auto name = media_type(request.content_type).name;
  if (name == "application/json-patch+json") return kube::PatchType::json;
  if (name == "application/merge-patch+json") return kube::PatchType::merge;
  if (name == "application/strategic-merge-patch+json") return kube::PatchType::strategic;
  throw kube::unsupported_patch_type();
}

std::string bound_node(const Request& request) {
  const JsonDocument document{
      .value = read_json(request, "Binding"), .source = {}, .rules = {.null_is_absent = true, .remedies = false}};
  try {
    const auto target = JsonPlace(document)["target"];
    auto node = target["name"].string();
    if (node.empty()) target.refuse_member("name", "is empty");
    return node;
  } catch (const InputError& error) {
    throw kube::bad_request(std::string("Binding: ") + error.what());
  }
}

SentDeleteOptions delete_options(const Request& request) {
  (void)encoding_of(request);  // patches have others, which read_json() takes, too
  const JsonDocument document{
      .value = read_json(request, "DeleteOptions"), .source = {}, .rules = {.null_is_absent = true, .remedies = false}};
  try {
    return delete_options_at(JsonPlace(document));
  } catch (const InputError& error) {
    throw kube::bad_request(std::string("DeleteOptions: ") + error.what());
  }
}

SentEviction eviction_of(const Request& request) {
  (void)encoding_of(request);
  const JsonDocument document{
      .value = read_json(request, "Eviction"), .source = {}, .rules = {.null_is_absent = true, .remedies = false}};
  SentEviction eviction;
  try {
    const JsonPlace place(document);
    std::string version = "policy/v1";
    std::string kind = "Eviction";
    place.take("apiVersion", version, &JsonPlace::string);
    place.take("kind", kind, &JsonPlace::string);
    if ((version != "policy/v1" && version != "policy/v1beta1") || kind != "Eviction")
      throw kube::bad_request(
          fmt::format("no kind {} is registered for version {} in scheme", excerpt(kind), excerpt(version)));
    if (const auto metadata = place.find("metadata")) {
      metadata->take("name", eviction.name, &JsonPlace::string);
      metadata->take("namespace", eviction.ns, &JsonPlace::string);
    }
    if (const auto options = place.find("deleteOptions")) eviction.options = delete_options_at(*options);
  } catch (const InputError& error) {
    throw kube::bad_request(std::string("Eviction: ") + error.what());
  }
  return eviction;
}

}  // namespace knetsim::apiserver
