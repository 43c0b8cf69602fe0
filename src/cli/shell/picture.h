#pragma once

#include <string>
#include <vector>

#include "session.h"

namespace knetsim::cli::shell {

/// Switches, nodes, containers and services as a tree with their addresses.
std::string picture(Session& session);

/// "C0  100.64.10.1 -> c2, c3", a line for each virtual address and each exposed service; a container that is
/// gone by its address.
std::string services_text(Session& session);

/// The containers behind a virtual address, by name or, if one is gone, by address; empty if there is no such VIP.
std::vector<std::string> containers_behind(Cluster& cluster, const Address& vip);

/// What a worker's containers get their addresses from; empty if that isn't known.
std::string pod_subnet(const Worker& worker);

/// The emulation in Graphviz's language (https://graphviz.org/doc/info/lang.html).
std::string to_dot(Session& session);

/// Writes the picture to this file, in the format that its ending names; all but dot need Graphviz. Throws LineError
/// for an ending that isn't known.
int write_graph(Session& session, const Word& file);

}  // namespace knetsim::cli::shell
