#pragma once

#include <string>

#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// Which of flannel's rules are wanted.
struct TrafficRules {
  bool masquerade = false;
  bool random_fully = true;  ///< ports of what is masqueraded
  bool forward = true;
};

/// Input for iptables-restore --noflush (ip6tables-restore) that makes the chains FLANNEL-FWD and FLANNEL-POSTRTG, with
/// flanneld's rules in flanneld's words, and leads to them from FORWARD and POSTROUTING. `fresh`: it fails if one of
/// the chains is there already. Else they are emptied first, and what leads there is left as it stands.
std::string iptables_rules(const TrafficRules& rules, const Network& cluster, const Network& pods, bool fresh);

/// Input that takes the same rules away; `saved` is what iptables-save prints.
std::string without_iptables_rules(const std::string& saved);

}  // namespace knetsim::flannel
