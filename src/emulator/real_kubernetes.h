#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/apiserver/options.h"

namespace knetsim {

/// A kube-apiserver's arguments that say what these say of ours: the same keys and JSON in etcd, so that either goes on
/// with what the other has written. It has no plain port.
std::vector<std::string> kube_apiserver_arguments(const apiserver::ServerOptions& options);

/// A kube-controller-manager's, to do what ours does but for placing pods, which is a scheduler's.
std::vector<std::string> kube_controller_manager_arguments(const std::filesystem::path& kubeconfig,
                                                           const std::filesystem::path& signing_key,
                                                           const std::filesystem::path& authority);

}  // namespace knetsim
