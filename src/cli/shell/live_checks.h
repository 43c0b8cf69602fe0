#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "session.h"

namespace knetsim::cli::shell {

/// What a check saw. One that has looked at nothing has proven nothing.
struct Finding {
  std::size_t looked_at = 0;            ///< pings, members, tunnels ...
  std::string counted = {};             ///< "10 hosts, 90 pings"; empty: as many as looked_at
  std::vector<std::string> wrong = {};  ///< what isn't as it should be
};

/// A check of what stands, which leaves it as it is.
struct LiveCheck {
  std::string_view id;        ///< as `knetsim check --only` has it
  std::string_view title;     ///< what holds if nothing is wrong
  std::string_view looks_at;  ///< what it counts, one of them: "ping"
  std::string_view absent;    ///< why there is nothing to look at
  /// What keeps it from looking may also be thrown as an Error.
  Finding (*run)(Session& session);
};

/// In the order of `knetsim check`, as far as they make sense here.
const std::vector<LiveCheck>& live_checks();

/// What the topology says of flannel on every worker: daemon, lease, links, routes. (live_checks_flannel.cpp)
Finding check_flannel(Session& session);
/// Virtual addresses, from containers and workers, and whether flows take turns. (live_checks_vip.cpp)
Finding check_vips(Session& session);
Finding check_turns(Session& session);
Finding check_vips_of_workers(Session& session);

/// Whether packets from one worker's containers get to another's: the topology may give them no way.
bool has_mesh(const Cluster& cluster);

}  // namespace knetsim::cli::shell
