#pragma once

#include <filesystem>
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

/// Writes what every node looks like to `directory`: for each node, and for the switches
/// ("underlay"), links, addresses, routes, neighbours, FDB, the nft ruleset with counters, connections and, for those
/// that have one, the logs; and topology.json, what hangs on what. Throws SystemError or filesystem_error if it can't
/// be written; a program that fails is evidence too.
void save_evidence(Emulation& emulation, const std::filesystem::path& directory);

}  // namespace knetsim
