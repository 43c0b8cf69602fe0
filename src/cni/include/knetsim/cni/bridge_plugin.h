#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/cni/result.h"
#include "knetsim/cni/runtime.h"
#include "knetsim/sys/netns.h"

namespace knetsim::cni {

/// The part of the configuration of the plugins `bridge` and `host-local` that the built-in one knows.
struct BridgeConfig {
  std::string name;  ///< of the network
  std::string cni_version = "1.0.0";
  std::string bridge = "cni0";
  unsigned mtu = 0;  ///< 0: the kernel's default
  bool is_default_gateway = true;
  bool hairpin = true;
  std::vector<Network> subnets;       ///< an address of each, at most one a family
  std::vector<Network> routes;        ///< in the container, via the bridge
  std::filesystem::path allocations;  ///< host-local's dataDir
};

/// `bridge` + `host-local` (containernetworking/plugins 1.1.1) done with netlink: same links, addresses, routes,
/// sysctls, files and results, without their programs. Move-only; may be used from several threads at once.
class BridgePlugin {
 public:
  /// `node` begins every error.
  BridgePlugin(const NetNs& worker, std::string node);

  Result add(const Attachment& attachment, const BridgeConfig& config) const;
  /// Throws Error naming the first difference between `previous` and what is there.
  void check(const Attachment& attachment, const BridgeConfig& config, const Result& previous) const;
  /// Gone already (link, namespace, allocation) is no error.
  void del(const Attachment& attachment, const BridgeConfig& config) const;

 private:
  NetNs worker_;
  std::string node_;
};

}  // namespace knetsim::cni
