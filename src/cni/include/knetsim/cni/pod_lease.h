#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "knetsim/flannel/subnet_env.h"
#include "knetsim/sys/network.h"

namespace knetsim::cni {

/// flannel's lease of one worker for one address family.
struct PodSubnet {
  Network network;  ///< of all workers, FLANNEL_NETWORK
  Network subnet;   ///< this worker's, host bits cleared, FLANNEL_SUBNET
};

/// What a plugin needs of a subnet.env, complete.
struct PodLease {
  std::vector<PodSubnet> subnets;  ///< IPv4 before IPv6, at least one
  unsigned mtu = 0;
  bool ip_masq = false;  ///< the daemon masquerades, so that plugins needn't
};

/// Both throw InputError naming `where` and the key that is missing or wrong.
PodLease pod_lease_of(const flannel::SubnetEnv& env, std::string_view where);
PodLease read_pod_lease(const std::filesystem::path& subnet_env);

}  // namespace knetsim::cni
