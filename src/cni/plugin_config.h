#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "knetsim/cni/bridge_plugin.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/sys/network.h"

namespace knetsim::cni {

/// What a plugin needs of a subnet.env, complete: flannel's lease of one worker.
struct PodLease {
  std::vector<Network>
      networks;                  ///< of all workers, FLANNEL_NETWORK and FLANNEL_IPV6_NETWORK; IPv4 first, at least one
  std::vector<Network> subnets;  ///< this worker's, host bits cleared; IPv4 first, one or two
  unsigned mtu = 0;
  bool ip_masq = false;  ///< the daemon masquerades, so that plugins needn't
};

/// Both throw InputError naming `where` and the key that is missing or wrong.
PodLease pod_lease_of(const flannel::SubnetEnv& env, std::string_view where);
PodLease read_pod_lease(const std::filesystem::path& subnet_env);

/// As the plugin `bridge` reads it; "type" is `type`.
nlohmann::json to_plugin_config(const BridgeConfig& config, const std::string& type = "bridge");
/// The way back, for what to_plugin_config() made.
BridgeConfig parse_plugin_config(nlohmann::json config);

/// The delegate's config for the plugin's own one and a lease. Throws InputError if "delegate" has a "name" or "ipam",
/// or a "type" that isn't a string.
nlohmann::json render_delegate(const nlohmann::json& config, const PodLease& lease);

/// For CHECK: `bridge` 1.1.1 looks for each route of prevResult with exactly its gateway, yet ADD reports none for
/// those that took the address's own (so CHECK always fails). Gives them that gateway.
nlohmann::json with_gateways(nlohmann::json result);

}  // namespace knetsim::cni
