#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "knetsim/sys/network.h"

namespace knetsim::cni {

/// flannel's lease of one worker for one address family.
struct PodSubnet {
  Network network;  ///< of all workers, FLANNEL_NETWORK
  Network subnet;   ///< this worker's, host bits cleared, FLANNEL_SUBNET

  /// The bridge's address: subnet base + 1.
  Network gateway() const;
};

/// What a flannel daemon leaves in subnet.env for CNI plugins.
struct SubnetEnv {
  std::vector<PodSubnet> subnets;  ///< IPv4 before IPv6, at least one
  unsigned mtu = 0;
  bool ip_masq = false;  ///< the daemon masquerades, so that plugins needn't
};

/// Both throw InputError saying which key is missing or wrong; unknown keys are left alone.
SubnetEnv parse_subnet_env(std::string_view text, std::string_view where = "subnet.env");
SubnetEnv read_subnet_env(const std::filesystem::path& path);

}  // namespace knetsim::cni
