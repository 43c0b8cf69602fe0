#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "knetsim/sys/netns.h"

namespace knetsim::cni {

/// All that ip(8), bridge(8) and /proc/sys/net tell about a namespace, with that taken out which no two runs share:
/// random MACs and names, timers, duplicate address detection under way.
nlohmann::json snapshot(const NetNs& ns);
/// The same for any JSON document, such as a CNI result.
nlohmann::json without_chance(const nlohmann::json& document);

}  // namespace knetsim::cni
