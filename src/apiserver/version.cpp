#include "version.h"

#include <fmt/format.h>

#include "knetsim/kube/status.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::apiserver {

using nlohmann::json;

namespace {

constexpr std::string_view kProtobufMark{"k8s\0", 4};
constexpr std::size_t kDeepest = 250;  // more than a request may have

const std::string& checked(const Version& version) {
  if (version.text.empty()) throw kube::internal_error(version.problem);
  return version.text;
}

}  // namespace

VersionPtr version_of(json& object, etcd::Revision revision) {
  object["metadata"]["resourceVersion"] = std::to_string(revision);
  auto& members = object.get_ref<json::object_t&>();
  auto api_version = members.extract("apiVersion");
  auto kind = members.extract("kind");
  Version version;
  version.revision = revision;
  version.text = object.dump();
  for (auto* taken : {&api_version, &kind})
    if (*taken) members.insert(std::move(*taken));
  return std::make_shared<const Version>(std::move(version));
}

VersionPtr version_of(const etcd::KeyValue& kv) {
  Version version;
  version.revision = kv.mod_revision;
  if (kv.value.starts_with(kProtobufMark)) {
    version.problem = fmt::format(
        "{} holds protobuf; start the API server that wrote it with --storage-media-type=application/json", kv.key);
    return std::make_shared<const Version>(std::move(version));
  }
  try {
    auto object = parse_json(kv.value, {.depth = kDeepest, .remedies = false});
    if (object.is_object() && object.contains("metadata") && object["metadata"].is_object())
      return version_of(object, kv.mod_revision);
    version.problem = fmt::format("{} holds no object: {}", kv.key, excerpt(kv.value, 80));
  } catch (const InputError& error) {
    version.problem = fmt::format("{} holds no object: {}", kv.key, error.what());
  }
  return std::make_shared<const Version>(std::move(version));
}

json object_of(const kube::Kind& kind, const Version& version) {
  json object = json::parse(checked(version));
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.kind;
  return object;
}

std::string text_of(const kube::Kind& kind, const Version& version) {
  return fmt::format(R"({{"kind":"{}","apiVersion":"{}",{})", kind.kind, kind.api_version(),
                     std::string_view(checked(version)).substr(1));
}

std::string stored_text(json& object) {
  object["metadata"].erase("resourceVersion");
  return object.dump();
}

}  // namespace knetsim::apiserver
