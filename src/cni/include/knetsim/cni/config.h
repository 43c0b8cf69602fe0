#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

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

}  // namespace knetsim::cni
