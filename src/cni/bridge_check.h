#pragma once

#include "knetsim/cni/bridge_plugin.h"

namespace knetsim::cni {

/// Throws knetsim::Error naming the first difference between what ADD left and what is there.
void check_bridge(const NetNs& worker, const std::string& node, const Attachment& attachment,
                  const BridgeConfig& config, const Result& previous);

}  // namespace knetsim::cni
