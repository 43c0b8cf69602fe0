#pragma once

#include "knetsim/flannel/config.h"
#include "knetsim/flannel/lease.h"
#include "knetsim/sys/netns.h"

namespace knetsim::flannel {

/// Writes the tables flannel-ipv4 and flannel-ipv6 (flannel's pkg/trafficmngr/nftables): chain postrtg masquerades what
/// pods send out of the flannel network, chain forward accepts what is forwarded from and to it. What stood in them is
/// replaced, in one transaction.
void set_up_masquerade(const NetNs& netns, const Config& config, const LeaseSubnets& own, bool forward_rules);

}  // namespace knetsim::flannel
