#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/parts/program.h"

namespace knetsim {

/// Where pods and their addresses are in a cluster.
std::vector<Network> pod_networks(const ClusterSpec& spec);

/// What either kube-proxy is told; ours of the services' range, too, and a real one to leave the kernel's settings
/// alone, which are the machine's.
std::vector<std::string> kube_proxy_arguments(parts::Flavour flavour, const std::string& node, const ClusterSpec& spec,
                                              const std::filesystem::path& kubeconfig);

/// Starts the kube-proxy of a worker, which asks the API that the kubeconfig leads to, and isn't waited for.
Daemon start_kube_proxy(const Worker& worker, const ClusterSpec& spec, const parts::Program& program,
                        const std::filesystem::path& kubeconfig);

}  // namespace knetsim
