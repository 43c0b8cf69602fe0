#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace knetsim::cni {

/// Of a config on stdin; one and its result of a thousand addresses are far below.
inline constexpr std::size_t kLongestInput = 4UL << 20;

/// What the exec protocol gives a plugin.
struct PluginCall {
  std::map<std::string, std::string> environment;  ///< the CNI_* ones
  std::string input;                               ///< stdin; nothing is read of more than kLongestInput
};

/// The plugin `flannel` (compatible with flannel-io/cni-plugin): turns subnet.env into the config of a delegate,
/// `bridge` with `host-local` unless "delegate" says otherwise, and lets that do the work. Prints result or error to
/// stdout and returns the exit code; for ADD and CHECK the delegate takes this process's place, and it doesn't return.
int run_flannel_plugin(const PluginCall& call);

}  // namespace knetsim::cni
