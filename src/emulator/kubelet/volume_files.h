#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "environment.h"

namespace knetsim::kubelet {

struct VolumeFile {
  std::string content;
  unsigned mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};

/// By their paths in the volume.
using VolumeFiles = std::map<std::string, VolumeFile>;

/// A token of the pod's service account that a volume has for a file.
struct VolumeToken {
  std::string audience;      ///< empty: the API server's
  std::int64_t seconds = 0;  ///< that it is good for
  auto operator<=>(const VolumeToken&) const = default;
};
using FindToken = std::function<std::string(const VolumeToken&)>;

/// What the files of a pod's volumes are made of.
struct VolumeNeeds {
  std::set<std::string> objects;  ///< paths of ConfigMaps and Secrets
  std::set<VolumeToken> tokens;
  bool none() const noexcept { return objects.empty() && tokens.empty(); }
};
VolumeNeeds needs_of(const nlohmann::json& pod);

/// The files of a volume of kind configMap, secret, downwardAPI or projected; none of others. Throws InputError,
/// in a kubelet's words, if something is missing that isn't optional, or if none of its kind is offered.
VolumeFiles files_of(const nlohmann::json& pod, const nlohmann::json& volume, const FindObject& find,
                     const FindToken& token);

/// Where a hostPath leads, which is there; empty for another kind. Throws InputError if nothing of its type is there.
std::filesystem::path host_path_of(const nlohmann::json& volume);

/// Whether it is of a kind that containers can't write to.
bool is_read_only(const nlohmann::json& volume);

}  // namespace knetsim::kubelet
