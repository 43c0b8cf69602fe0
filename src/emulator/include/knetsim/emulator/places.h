#pragma once

#include <string>
#include <vector>

#include "knetsim/emulator/emulation.h"

namespace knetsim {

/// A switch, a node or a container as it is at this moment: read from the kernel, not from the topology.
struct Place {
  std::string name;                      ///< "C0w1/c1" is a container
  std::string kind;                      ///< switch, etcd, worker, container
  std::string on;                        ///< the switch or the worker that it hangs on; empty: nothing
  std::vector<Address> addresses = {};   ///< of its eth0
  std::vector<std::string> faults = {};  ///< of its links and addresses: "eth0 is down"; empty: none is seen
  std::vector<std::string> ended = {};   ///< its daemons that don't run: "flanneld: killed by SIGKILL"
};

/// All of them: switches, then each cluster's nodes, then containers. What has been deleted isn't there.
std::vector<Place> places_of(Emulation& emulation);

}  // namespace knetsim
