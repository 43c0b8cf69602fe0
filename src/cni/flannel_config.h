#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "knetsim/cni/pod_lease.h"

namespace knetsim::cni {

/// The delegate's config for the plugin's own one and a lease. Throws InputError if "delegate" has a "name" or "ipam",
/// or a "type" that isn't a string.
nlohmann::json render_delegate(const nlohmann::json& config, const PodLease& lease);

/// For CHECK: `bridge` 1.1.1 looks for each route of prevResult with exactly its gateway, yet ADD reports none for
/// those that took the address's own (so CHECK always fails). Gives them that gateway.
nlohmann::json with_gateways(nlohmann::json result);

}  // namespace knetsim::cni
