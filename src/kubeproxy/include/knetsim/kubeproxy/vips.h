#pragma once

#include <memory>
#include <string>
#include <vector>

#include "knetsim/kubeproxy/vip.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {

/// The table of the virtual addresses, one for each family: `kube-proxy` belongs to whichever kube-proxy runs.
/// iptables-nft keeps its rules in `filter`, `nat`..., and refuses to touch a table of those names that it can't read.
inline constexpr const char* kVipTableName = "knetsim-vips";

struct VipOptions {
  /// The cluster's pods. What is sent to a VIP from elsewhere (the node itself, the outside) is masqueraded, so that
  /// the answer comes back through this node. Empty: nothing but hairpin traffic is.
  std::vector<Network> pod_networks = {};
};

/// The packets and bytes of the flows' first packets that a VIP's rule has taken.
struct VipCounters {
  nft::Counter prerouting;
  nft::Counter output;
};

/// Keeps one namespace's ruleset in step with a list of services, for traffic that passes (PREROUTING) and traffic that
/// the node itself sends (OUTPUT). Exact round robin for each new flow, each VIP and each hook. restore() may be called
/// by a second thread; else not thread-safe.
class VipProxy {
 public:
  /// `netns` must outlive the proxy. Nothing is written yet.
  explicit VipProxy(const NetNs& netns, VipOptions options = {});
  VipProxy(VipProxy&&) noexcept;
  VipProxy& operator=(VipProxy&&) noexcept;
  ~VipProxy();  ///< leaves the ruleset as it is

  /// Makes the ruleset serve exactly these services, and writes only what changed; the turns and counters of unchanged
  /// services go on, also where an endpoint is gone or back. Before the first write, and after a refused one, what
  /// stands is read, and only what differs is written. Then the tracked flows are reconciled: of each service that
  /// changed, those whose endpoint no longer serves it, or that were sent to it before it was served, are forgotten,
  /// and their next packet goes by the new rules. TCP, SCTP and DCCP flows that have been answered are left alone: only
  /// their endpoint knows them. Throws InputError (see validate), nft::Error and netlink::Error; then what was served
  /// before still is.
  void apply(const std::vector<Vip>& services);

  /// Puts back what rules or elements have been taken away since the last apply(), or adds none: the turns of a VIP
  /// whose chain was touched start anew. Throws as that does.
  void restore();

  const std::vector<Vip>& services() const noexcept;
  /// Throws nft::Error with ENOENT if the address isn't served.
  VipCounters counters(const Address& vip) const;
  /// Removes the proxy's tables; absent is no error.
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim::kubeproxy
