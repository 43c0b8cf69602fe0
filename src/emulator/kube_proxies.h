#pragma once

#include <filesystem>
#include <vector>

#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"

namespace knetsim {

/// Where pods and their addresses are in a cluster.
std::vector<Network> pod_networks(const ClusterSpec& spec);

/// Starts the kube-proxy of a worker, which asks the API that the kubeconfig leads to, and isn't waited for. Throws
/// InputError if the program isn't there.
Daemon start_kube_proxy(const Worker& worker, const ClusterSpec& spec, const std::filesystem::path& kubeconfig);

}  // namespace knetsim
