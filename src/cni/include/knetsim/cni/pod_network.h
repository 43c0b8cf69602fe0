#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/cni/bridge_plugin.h"
#include "knetsim/cni/plugins.h"
#include "knetsim/cni/runtime.h"
#include "knetsim/sys/netns.h"

namespace knetsim::cni {

struct PodNetworkOptions {
  std::string node;                   ///< begins every error
  std::filesystem::path directory;    ///< the worker's own, /run/knetsim/<node>: allocations and cache lie in its cni/
  std::filesystem::path subnet_file;  ///< the worker's subnet.env, read at each attach()
  Plugins plugins = {};       ///< if it has a configuration, that one's name, version and bridge are those of the next
  std::string name = "cbr0";  ///< of the network; part of the path of the allocations
  std::string bridge = "cni0";
  std::string cni_version = "1.0.0";
  bool hairpin = true;                        ///< a pod reaches itself through a VIP
  std::chrono::milliseconds timeout{30'000};  ///< for one plugin's one answer
};

/// The network of the pods of one worker, as kubelet and flannel's CNI config make it: bridge with the gateway address,
/// a veth pair for each pod, an address from the worker's lease, a default route and one to the pods of all workers.
/// No masquerading between pods: they see each other's addresses. Real plugins or built-in, with the same outcome and
/// the same files, so that workers, and even the pods of one worker, may differ in flavour. Move-only; different
/// containers may be attached from several threads (and processes) at once: each waits for its turn.
class PodNetwork {
 public:
  PodNetwork(const NetNs& worker, PodNetworkOptions options);

  /// ADD. Throws Error, or InputError if subnet.env is unfit or nobody takes one of the attachment's capabilities.
  Result attach(const Attachment& attachment);
  /// CHECK; throws Error that says what differs.
  void check(const std::string& container_id, const std::string& ifname = "eth0");
  /// DEL, by the flavour that attached it. Gone or never there is no error.
  void detach(const std::string& container_id, const std::string& ifname = "eth0");
  /// Throws Error with kNotAvailable if no pod can be attached now: STATUS of the plugins, as far as they know of it,
  /// and whether the worker has its lease.
  void status();
  /// Detaches what isn't in `valid` and gives back what nobody holds any more; GC of the plugins, as far as they know
  /// of it. Throws the Error of the first failure when all is tried.
  void gc(const std::vector<AttachmentId>& valid);
  /// The result that attach() returned; throws Error (kUnknownContainer) if there is none.
  Result result(const std::string& container_id, const std::string& ifname = "eth0") const;

  /// What real plugins are given (docs/cni.md). Throws InputError if that needs a subnet.env that is unfit.
  NetworkConfig config() const;
  const PodNetworkOptions& options() const noexcept { return options_; }

 private:
  Result add_builtin(const Attachment& attachment, const BridgeConfig& config);
  void wait_for_gateways(const Result& result) const;
  void require_takers(const Attachment& attachment) const;

  NetNs worker_;
  PodNetworkOptions options_;
  Runtime runtime_;
  BridgePlugin builtin_;
};

}  // namespace knetsim::cni
