#pragma once

#include <vector>

#include "knetsim/flannel/config.h"
#include "knetsim/flannel/lease.h"
#include "knetsim/nft/ruleset.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// Which of flannel's rules are wanted.
struct TrafficRules {
  bool masquerade = false;
  bool random_fully = true;  ///< ports of what is masqueraded
  bool forward = true;
};

/// flannel's rules for the pods' traffic (pkg/trafficmngr): masquerading of what leaves the network, accepting what is
/// forwarded from and to it. With EnableNFTables in tables of their own, flannel-ipv4 and flannel-ipv6, else by the
/// programs iptables-restore and ip6tables-restore, where the rules of others (Docker drops in FORWARD) are.
class TrafficManager {
 public:
  TrafficManager(const Config& config, LeaseSubnets own, TrafficRules rules);

  /// Writes the rules into the caller's namespace; what an earlier daemon wrote, also in the other way, is replaced.
  /// Throws Error.
  void write();
  /// Readable when somebody has taken rules away, perhaps ours.
  FdView changes() const noexcept { return changes_; }
  /// Reads what has come, and writes the rules again if ours aren't as they were.
  void heed();

 private:
  void write_nftables();
  void write_iptables();
  std::vector<nft::RuleId> standing() const;

  const Config& config_;
  LeaseSubnets own_;
  TrafficRules rules_;
  Fd changes_;
  std::vector<nft::RuleId> written_;
};

}  // namespace knetsim::flannel
