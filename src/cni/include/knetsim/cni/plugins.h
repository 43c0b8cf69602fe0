#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/cni/config.h"
#include "knetsim/parts/program.h"

namespace knetsim::cni {

/// Who connects a worker's containers.
struct Plugins {
  parts::Flavour flavour = parts::Flavour::builtin;     ///< or real
  std::vector<std::filesystem::path> search_path = {};  ///< CNI_PATH
  std::string type = "flannel";                         ///< real: the plugin that the config list names
  std::optional<NetworkConfig> conf = {};               ///< real: a list of the user's own, in the place of `type`
};

/// `wanted` is "auto" (or empty), "real", "builtin", or the path of a plugin (its file name becomes the type), of a
/// directory of plugins, which then comes first on the search path, or of a network configuration (.conflist, .conf or
/// .json), whose directory comes after CNI_PATH unless everybody may write there. `cni_path` is as $CNI_PATH;
/// /opt/cni/bin and /usr/lib/cni follow it. Throws InputError (exit 2) naming the remedy if what was asked for
/// explicitly isn't there; `said` is how it was asked for, KNETSIM_CNI=`wanted` if empty.
Plugins resolve(std::string_view wanted, std::string_view cni_path = {}, const std::string& said = {});
/// For one worker: `requested` is what parts::at() says. Automatic is what KNETSIM_CNI says; a path in it stands for a
/// real one, too, so that a plugin of the user's own comes under every test that asks for real ones.
Plugins resolve(parts::Flavour requested, const parts::Environment& environment = parts::Environment::current(),
                const std::string& said = {});
/// For a configuration that the caller has. Throws InputError naming `said` if a plugin of it isn't there.
Plugins resolve_conf(NetworkConfig conf, std::string_view cni_path, const std::string& said);

/// The directory of the plugin `flannel` of ours: beside the running program, as built, or as installed.
std::optional<std::filesystem::path> own_plugin_directory();

}  // namespace knetsim::cni
