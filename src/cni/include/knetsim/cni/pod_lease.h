#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

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

}  // namespace knetsim::cni
