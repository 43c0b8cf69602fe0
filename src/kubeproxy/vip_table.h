#pragma once

#include <string>

#include "knetsim/kubeproxy/desired.h"
#include "knetsim/kubeproxy/vips.h"

namespace knetsim::kubeproxy {

nft::Family family_of(const Vip& vip);

/// "VIP 100.64.10.1: web"
std::string comment_of(const Vip& vip);

/// The chain in which a VIP takes its turns at one of the two hooks: each has turns and counters of its own.
std::string turns_chain(const Vip& vip, bool output);

/// The table of one family. A packet to a VIP goes to that VIP's chain, `numgen inc` gives it a turn, and a map that
/// all VIPs share tells whose turn that is.
Layout vips_layout(nft::Family family, const VipOptions& options);

/// What one VIP wants in the table of its family. As long as address, name, revision and the endpoints' addresses are
/// the same, its turns go on.
Desired vip_entries(const Vip& vip);

}  // namespace knetsim::kubeproxy
