#pragma once

#include <functional>
#include <map>
#include <string>

namespace knetsim::cni {

/// What the exec protocol gives a plugin.
struct PluginCall {
  std::map<std::string, std::string> environment;  ///< the CNI_* ones
  std::string input;                               ///< stdin
};

/// The plugin `flannel` (compatible with flannel-io/cni-plugin): turns subnet.env into the config of a delegate,
/// `bridge` with `host-local` unless "delegate" says otherwise, and lets that do the work. Prints result or error to
/// stdout and returns the exit code; for ADD and CHECK the delegate takes this process's place, and it doesn't return.
int run_flannel_plugin(const PluginCall& call);

}  // namespace knetsim::cni
