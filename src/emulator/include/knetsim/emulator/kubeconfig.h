#pragma once

#include <string>
#include <vector>

namespace knetsim {

/// Where one cluster is asked.
struct KubeContext {
  std::string name;  ///< the cluster's
  std::string url;
};

/// As whom, and whom to trust; all in PEM but the token. What is empty is left out.
struct KubeUser {
  std::string authority = {};
  std::string certificate = {};
  std::string key = {};
  std::string token = {};
};

/// A kubeconfig (client-go's clientcmd/api/v1) with a context for each cluster; `current` is the current one, or, if
/// that is empty, the first.
std::string kubeconfig(const std::vector<KubeContext>& contexts, const KubeUser& user = {},
                       const std::string& current = {});

}  // namespace knetsim
