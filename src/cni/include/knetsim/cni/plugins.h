#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::cni {

enum class Flavour { builtin, real };

std::string to_string(Flavour flavour);

/// Who connects a worker's containers.
struct Plugins {
  Flavour flavour = Flavour::builtin;
  std::vector<std::filesystem::path> search_path = {};  ///< CNI_PATH
  std::string type = "flannel";                         ///< real: the plugin that the config list names
};

/// `wanted` is "auto" (or empty), "real", "builtin", or the path of a plugin (its file name becomes the type) or of a
/// directory of plugins, which then comes first on the search path. `cni_path` is as $CNI_PATH; /opt/cni/bin and
/// /usr/lib/cni follow it. Throws InputError (exit 2) naming the remedy if what was asked for explicitly isn't there.
Plugins resolve(std::string_view wanted, std::string_view cni_path = {});
/// The same from $KNETSIM_CNI (if unset, `otherwise`) and $CNI_PATH.
Plugins resolve_from_environment(std::string_view otherwise = "auto");

/// The directory of the plugin `flannel` of ours: beside the running program, as built, or as installed.
std::optional<std::filesystem::path> own_plugin_directory();

}  // namespace knetsim::cni
