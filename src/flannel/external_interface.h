#pragma once

#include <optional>
#include <string>

#include "knetsim/flannel/options.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// The link that carries this node's traffic to the other nodes. Addresses are set for the families in use.
struct ExternalInterface {
  int index = 0;
  std::string name;
  unsigned mtu = 0;
  std::optional<Address> v4;  ///< on the link
  std::optional<Address> v6;
  std::optional<Address> public_v4;  ///< by which the others reach it: the same, unless -public-ip says otherwise
  std::optional<Address> public_v6;
};

/// Finds it as flanneld does (main.go, pkg/ipmatch). Throws InputError or Error saying what was looked for.
ExternalInterface find_external_interface(netlink::Socket& socket, const DaemonOptions& options, bool v4, bool v6);

}  // namespace knetsim::flannel
