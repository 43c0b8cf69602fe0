#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/parts/program.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::cni {

/// A network configuration list (CNI 1.1.0, "Network configuration format").
struct NetworkConfig {
  std::string name;
  std::string cni_version = "1.0.0";
  bool disable_check = false;
  bool disable_gc = false;
  std::vector<nlohmann::json> plugins;  ///< one object each, in the order of ADD
};

/// From a .conflist, or from a .conf with a single plugin, read as libcni reads them: of "cniVersions" and "cniVersion"
/// the latest that is supported counts, without either it is 0.1.0, the last of a doubled key counts, and what isn't
/// known is left alone. Throws InputError naming file, place and remedy.
NetworkConfig parse_network_config(std::string_view json, const std::string& file = "the CNI network configuration");
/// The same of one that stands within another document.
NetworkConfig read_network_config(const JsonPlace& at);
std::string to_json(const NetworkConfig& config);
/// Whether a plugin's config asks for what runtimes have for this capability ("capabilities": {"portMappings": true}).
bool takes(const nlohmann::json& plugin, const std::string& capability);

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
