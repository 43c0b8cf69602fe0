#pragma once

#include <nlohmann/json.hpp>

#include "knetsim/cni/bridge_plugin.h"
#include "knetsim/cni/pod_lease.h"

namespace knetsim::cni {

/// As the plugin `bridge` reads it; "type" is `type`.
nlohmann::json to_plugin_config(const BridgeConfig& config, const std::string& type = "bridge");
/// The way back, for what to_plugin_config() made.
BridgeConfig parse_plugin_config(const nlohmann::json& config);

/// The "ipam" of flannel's delegate: what the config has in it, and ranges and routes of the lease.
nlohmann::json lease_ipam(const PodLease& lease, nlohmann::json ipam);

}  // namespace knetsim::cni
