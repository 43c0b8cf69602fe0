// Volumes of pods. Source: pkg/apis/core/validation/validation.go of k8s.io/kubernetes 1.32.
#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::int64_t kDefaultFileMode = 0644;

void validate_required(const json& of, const char* key, const std::string& at, FieldErrors& errors) {
  if (text_at(of, key).empty()) errors.required(fmt::format("{}.{}", at, key));
}

void validate_no_way_up(std::string_view path, const std::string& at, FieldErrors& errors) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") {
      errors.invalid(at, std::string(path), "must not contain '..'");
      return;
    }
    begin = end + 1;
  }
}

void validate_descending(const std::string& path, const std::string& at, FieldErrors& errors) {
  if (path.starts_with('/')) errors.invalid(at, path, "must be a relative path");
  validate_no_way_up(path, at, errors);
}

/// Names with two dots in front are the kubelet's own.
void validate_file(const json& of, const std::string& at, FieldErrors& errors) {
  const auto& path = text_at(of, "path");
  if (path.empty()) {
    errors.required(at + ".path");
    return;
  }
  validate_descending(path, at + ".path", errors);
  if (path.starts_with("..") && path != ".." && !path.starts_with("../"))
    errors.invalid(at + ".path", path, "must not start with '..'");
}

void validate_mode(const json& of, const char* key, const std::string& at, FieldErrors& errors) {
  const auto& mode = member(of, key);
  if (mode.is_number() && (number_in(mode) < 0 || number_in(mode) > 0777))
    errors.invalid(fmt::format("{}.{}", at, key), mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

void validate_keys(const json& source, const char* name, const std::string& at, FieldErrors& errors) {
  validate_required(source, name, at, errors);
  const auto& items = list_at(source, "items");
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto place = fmt::format("{}.items[{}]", at, i);
    validate_required(items[i], "key", place, errors);
    validate_file(items[i], place, errors);
    validate_mode(items[i], "mode", place, errors);
  }
}

void validate_fields(const json& source, const std::string& at, FieldErrors& errors) {
  const auto& items = list_at(source, "items");
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto place = fmt::format("{}.items[{}]", at, i);
    validate_file(items[i], place, errors);
    const bool field = items[i].contains("fieldRef");
    const bool resource = items[i].contains("resourceFieldRef");
    if (field && resource)
      errors.invalid(place, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    else if (!field && !resource)
      errors.required(place, "one of fieldRef and resourceFieldRef is required");
    else if (resource && text_at(items[i], "resourceFieldRef", "containerName").empty())
      errors.required(place + ".resourceFieldRef.containerName");
    validate_mode(items[i], "mode", place, errors);
  }
}

void validate_token(const json& source, const std::string& at, FieldErrors& errors) {
  constexpr std::int64_t kShortest = 600;
  constexpr std::int64_t kLongest = 1LL << 32;
  const auto& seconds = member(source, "expirationSeconds");
  if (seconds.is_number() && number_in(seconds) < kShortest)
    errors.invalid(at + ".expirationSeconds", seconds, "may not specify a duration less than 10 minutes");
  if (seconds.is_number() && number_in(seconds) > kLongest)
    errors.invalid(at + ".expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds");
  validate_file(source, at, errors);
}

void validate_projections(const json& projected, const std::string& at, FieldErrors& errors) {
  const auto& sources = list_at(projected, "sources");
  for (std::size_t i = 0; i < sources.size(); ++i) {
    bool others = false;
    for (const auto* const kind : {"secret", "configMap", "downwardAPI", "serviceAccountToken"}) {
      const auto& source = member(sources[i], kind);
      if (source.is_null()) continue;
      const auto place = fmt::format("{}.sources[{}].{}", at, i, kind);
      if (others) errors.forbidden(place, "may not specify more than 1 volume type");
      others = true;
      if (kind == std::string_view("downwardAPI"))
        validate_fields(source, place, errors);
      else if (kind == std::string_view("serviceAccountToken"))
        validate_token(source, place, errors);
      else
        validate_keys(source, "name", place, errors);
    }
  }
}

void validate_host_path(const json& source, const std::string& at, FieldErrors& errors) {
  validate_required(source, "path", at, errors);
  validate_no_way_up(text_at(source, "path"), at + ".path", errors);
  validate_choice(member(source, "type"), at + ".type",
                  {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"},
                  errors);
}

void validate_source(const std::string& kind, const json& source, const std::string& at, FieldErrors& errors) {
  validate_mode(source, "defaultMode", at, errors);
  if (kind == "configMap") return validate_keys(source, "name", at, errors);
  if (kind == "secret") return validate_keys(source, "secretName", at, errors);
  if (kind == "downwardAPI") return validate_fields(source, at, errors);
  if (kind == "projected") return validate_projections(source, at, errors);
  if (kind == "hostPath") return validate_host_path(source, at, errors);
  if (kind == "persistentVolumeClaim") return validate_required(source, "claimName", at, errors);
  if (kind == "csi") return validate_required(source, "driver", at, errors);
  if (kind != "nfs") return;
  validate_required(source, "server", at, errors);
  validate_required(source, "path", at, errors);
  if (const auto& path = text_at(source, "path"); !path.empty() && !path.starts_with('/'))
    errors.invalid(at + ".path", path, "must be an absolute path");
}

/// Its kinds as upstream looks for them: of two, the later is one too many.
constexpr auto kVolumeKinds = {"emptyDir",    "hostPath",  "secret",    "nfs", "persistentVolumeClaim",
                               "downwardAPI", "configMap", "projected", "csi"};

void validate_volume(const json& volume, const std::string& at, FieldErrors& errors) {
  std::size_t known = 0;
  for (const auto* const kind : kVolumeKinds) {
    const auto& source = member(volume, kind);
    if (source.is_null()) continue;
    const auto place = fmt::format("{}.{}", at, kind);
    if (++known > 1)
      errors.forbidden(place, "may not specify more than 1 volume type");
    else
      validate_source(kind, source, place, errors);
  }
  if (known < 2 && volume.size() > 2) errors.forbidden(at, "may not specify more than 1 volume type");
}

}  // namespace

void fill_in_volume(json& volume) {
  if (volume.size() == 1) volume["emptyDir"] = json::object();
  for (const auto* const source : {"secret", "configMap", "projected", "downwardAPI"})
    if (const auto found = volume.find(source); found != volume.end())
      put_default(*found, "defaultMode", kDefaultFileMode);
  if (const auto path = volume.find("hostPath"); path != volume.end() && !path->contains("type")) (*path)["type"] = "";
}

void validate_own_name(const json& member, const std::string& place, std::set<std::string>& names,
                       FieldErrors& errors) {
  const auto& name = text_at(member, "name");
  if (name.empty()) {
    errors.required(place + ".name");
  } else if (const auto problem = dns1123_label_problem(name); !problem.empty()) {
    errors.invalid(place + ".name", name, problem);
  } else if (!names.insert(name).second) {
    errors.duplicate(place + ".name", name);
  }
}

std::set<std::string> validate_volumes(const json& spec, const std::string& at, FieldErrors& errors) {
  std::set<std::string> names;
  const auto& volumes = list_at(spec, "volumes");
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const auto place = fmt::format("{}.volumes[{}]", at, i);
    validate_own_name(volumes[i], place, names, errors);
    validate_volume(volumes[i], place, errors);
  }
  return names;
}

void validate_volume_mounts(const json& container, const std::string& at, const std::set<std::string>& volumes,
                            FieldErrors& errors) {
  std::set<std::string> paths;
  const auto& mounts = list_at(container, "volumeMounts");
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    const auto place = fmt::format("{}.volumeMounts[{}]", at, i);
    const auto& name = text_at(mounts[i], "name");
    if (name.empty()) {
      errors.required(place + ".name");
    } else if (!volumes.contains(name)) {
      errors.not_found(place + ".name", name);
    }
    const auto& path = text_at(mounts[i], "mountPath");
    if (path.empty()) {
      errors.required(place + ".mountPath");
    } else if (!paths.insert(path).second) {
      errors.invalid(place + ".mountPath", path, "must be unique");
    }
    const auto& sub = text_at(mounts[i], "subPath");
    const auto& expression = text_at(mounts[i], "subPathExpr");
    validate_descending(sub, place + ".subPath", errors);
    if (!sub.empty() && !expression.empty())
      errors.invalid(place + ".subPathExpr", expression, "subPathExpr and subPath are mutually exclusive");
    validate_descending(expression, place + ".subPathExpr", errors);
    if (mounts[i].contains("mountPropagation"))
      validate_choice(member(mounts[i], "mountPropagation"), place + ".mountPropagation",
                      {"Bidirectional", "HostToContainer", "None"}, errors);
  }
}

}  // namespace knetsim::kube
