#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::cni {

/// A network configuration list (CNI 1.0.0, "Network configuration format").
struct NetworkConfig {
  std::string name;
  std::string cni_version = "1.0.0";
  bool disable_check = false;
  std::vector<nlohmann::json> plugins;  ///< one object each, in the order of ADD
};

/// The versions of the protocol that the runtime and the plugins of ours speak, oldest first.
const std::vector<std::string>& supported_versions();

/// From a .conflist, or from a .conf with a single plugin. Throws InputError naming the JSON pointer and the remedy.
NetworkConfig parse_network_config(std::string_view json);
std::string to_json(const NetworkConfig& config);

}  // namespace knetsim::cni
