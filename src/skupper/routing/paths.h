#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace knetsim::skupper::routing {

using Peers = std::map<std::string, std::int64_t>;  ///< neighbour -> cost of the link to it, at least 1
/// Each router's own view of its neighbours. Links are directed: both ends should list each other.
using Graph = std::map<std::string, Peers>;

struct Path {
  std::string next_hop;  ///< the first router on the path; the destination itself if it is a neighbour
  std::int64_t cost = 0;
  bool operator==(const Path&) const = default;
};

/// The cheapest path from `root` to every other router that can be reached (Dijkstra). Of equal ones that over the
/// router that was reached first, by cost and then by id: skrouterd's choice (router/path.py).
std::map<std::string, Path> shortest_paths(const std::string& root, const Graph& graph);

}  // namespace knetsim::skupper::routing
