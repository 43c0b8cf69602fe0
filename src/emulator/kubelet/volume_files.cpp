#include "volume_files.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"
#include "pod_names.h"

namespace knetsim::kubelet {

using nlohmann::json;

namespace {

constexpr std::int64_t kTokenLife = 3'600;  // seconds, where a volume names none
constexpr std::int64_t kFileMode = 0644;

struct KeyedKind {
  const char* member;  ///< of a volume or a projection
  const char* name;    ///< of the object, in it
  const char* plural;
  const char* called;
  const char* no_key;
};
constexpr KeyedKind kOfVolumes[] = {
    {"configMap", "name", "configmaps", "configmap", "configmap references non-existent config key"},
    {"secret", "secretName", "secrets", "secret", "references non-existent secret key"}};
constexpr KeyedKind kOfProjections[] = {
    {"configMap", "name", "configmaps", "configmap", "configmap references non-existent config key"},
    {"secret", "name", "secrets", "secret", "references non-existent secret key"}};

unsigned mode_in(const json& of, std::int64_t otherwise) {
  const auto& mode = kube::member(of, "mode");
  return static_cast<unsigned>(mode.is_number() ? kube::number_in(mode) : otherwise) & 0777U;
}

std::int64_t default_mode(const json& source) {
  const auto& mode = kube::member(source, "defaultMode");
  return mode.is_number() ? kube::number_in(mode) : kFileMode;
}

/// A real server refuses such paths; a file must not lie elsewhere, whoever wrote the pod.
void add_file(VolumeFiles& files, const std::string& path, VolumeFile file) {
  const std::filesystem::path parts(path);
  if (path.empty() || parts.is_absolute())
    throw InputError(fmt::format("invalid path: must be relative path: {}", path));
  if (path.starts_with("..")) throw InputError(fmt::format("invalid path: must not start with '..': {}", path));
  for (const auto& part : parts)
    if (part == "..") throw InputError(fmt::format("invalid path: must not contain '..': {}", path));
  files[parts.lexically_normal().string()] = std::move(file);
}

void add_keys(VolumeFiles& files, const KeyedKind& kind, const json& source, std::int64_t mode,
              const FindObject& find) {
  const auto& name = kube::text_at(source, kind.name);
  const auto object = find(kind.plural, name);
  const bool optional = kube::bool_at(source, "optional");
  if (object.is_null() && optional) return;
  if (object.is_null()) throw InputError(fmt::format("{} \"{}\" not found", kind.called, name));
  auto data = data_of(object);
  const auto& items = kube::list_at(source, "items");
  if (items.empty())
    for (auto& [key, value] : data) add_file(files, key, {std::move(value), mode_in({}, mode)});
  for (const auto& item : items) {
    const auto& key = kube::text_at(item, "key");
    if (const auto found = data.find(key); found != data.end())
      add_file(files, kube::text_at(item, "path"), {found->second, mode_in(item, mode)});
    else if (!optional)
      throw InputError(fmt::format("{}: {}", kind.no_key, key));
  }
}

void add_fields(VolumeFiles& files, const json& source, std::int64_t mode, const json& pod) {
  for (const auto& item : kube::list_at(source, "items")) {
    const auto& resource = kube::member(item, "resourceFieldRef");
    std::string value;
    if (resource.is_null()) {
      value = field_of(pod, kube::text_at(item, "fieldRef", "fieldPath"));
    } else {
      for (const auto* const list : {"initContainers", "containers"})
        for (const auto& container : kube::list_at(pod, "spec", list))
          if (kube::text_at(container, "name") == kube::text_at(resource, "containerName"))
            value = resource_of(container, kube::text_at(resource, "resource"));
    }
    add_file(files, kube::text_at(item, "path"), {std::move(value), mode_in(item, mode)});
  }
}

VolumeToken token_of(const json& source) {
  const auto& seconds = kube::member(source, "expirationSeconds");
  return {.audience = kube::text_at(source, "audience"),
          .seconds = seconds.is_number() ? kube::number_in(seconds) : kTokenLife};
}

void add_projection(VolumeFiles& files, const json& one, std::int64_t mode, const json& pod, const FindObject& find,
                    const FindToken& token) {
  for (const auto& kind : kOfProjections)
    if (one.contains(kind.member)) return add_keys(files, kind, one[kind.member], mode, find);
  if (const auto& fields = kube::member(one, "downwardAPI"); !fields.is_null())
    return add_fields(files, fields, mode, pod);
  if (const auto& account = kube::member(one, "serviceAccountToken"); !account.is_null())
    return add_file(files, kube::text_at(account, "path"), {token(token_of(account)), mode_in({}, mode)});
  throw InputError(fmt::format("a projection of kind {} isn't offered: {}",
                               excerpt(one.empty() ? "none" : one.begin().key()),
                               "configMap, secret, downwardAPI and serviceAccountToken are"));
}

}  // namespace

VolumeNeeds needs_of(const json& pod) {
  VolumeNeeds needs;
  const auto& ns = kube::namespace_of(pod);
  const auto add = [&](const KeyedKind& kind, const json& holder) {
    const auto& name = kube::text_at(holder, kind.member, kind.name);
    if (is_a_name(name)) needs.objects.insert(path_of(ns, kind.plural, name));
  };
  for (const auto& volume : kube::list_at(pod, "spec", "volumes")) {
    for (const auto& kind : kOfVolumes) add(kind, volume);
    for (const auto& one : kube::list_at(volume, "projected", "sources")) {
      for (const auto& kind : kOfProjections) add(kind, one);
      if (const auto& account = kube::member(one, "serviceAccountToken"); !account.is_null())
        needs.tokens.insert(token_of(account));
    }
  }
  return needs;
}

VolumeFiles files_of(const json& pod, const json& volume, const FindObject& find, const FindToken& token) {
  VolumeFiles files;
  if (volume.contains("emptyDir") || !host_path_of(volume).empty()) return files;
  for (const auto& kind : kOfVolumes)
    if (const auto& source = kube::member(volume, kind.member); !source.is_null()) {
      add_keys(files, kind, source, default_mode(source), find);
      return files;
    }
  if (const auto& source = kube::member(volume, "downwardAPI"); !source.is_null()) {
    add_fields(files, source, default_mode(source), pod);
    return files;
  }
  if (const auto& source = kube::member(volume, "projected"); !source.is_null()) {
    for (const auto& one : kube::list_at(source, "sources"))
      add_projection(files, one, default_mode(source), pod, find, token);
    return files;
  }
  std::string kind;
  for (const auto& [member, value] : volume.items())
    if (member != "name") kind = member;
  throw InputError(
      fmt::format("a volume of kind {} isn't offered; remedy: take one of emptyDir, configMap, secret, "
                  "downwardAPI, projected, hostPath",
                  excerpt(kind)));
}

std::filesystem::path host_path_of(const json& volume) {
  namespace fs = std::filesystem;
  const auto& source = kube::member(volume, "hostPath");
  if (source.is_null()) return {};
  const auto& type = kube::text_at(source, "type");
  const fs::path path = fs::path("/") / kube::text_at(source, "path");
  std::error_code absent;
  const auto status = fs::status(path, absent);
  if (!fs::exists(status))
    throw InputError(fmt::format("hostPath type check failed: there is no {}, and nothing is made on the host",
                                 excerpt(path.string())));
  const auto is = [&](const char* name) { return type == name || type == std::string(name) + "OrCreate"; };
  const auto must_be = [&](const char* name, bool so, const char* what) {
    if (is(name) && !so)
      throw InputError(fmt::format("hostPath type check failed: {} is not a {}", path.string(), what));
  };
  must_be("Directory", fs::is_directory(status), "directory");
  must_be("File", fs::is_regular_file(status), "file");
  must_be("Socket", fs::is_socket(status), "socket file");
  must_be("CharDevice", fs::is_character_file(status), "character device");
  must_be("BlockDevice", fs::is_block_file(status), "block device");
  return path;
}

bool is_read_only(const json& volume) { return !volume.contains("emptyDir"); }

}  // namespace knetsim::kubelet
