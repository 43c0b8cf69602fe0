#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wire/control.h"

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

/// A control connection to another router; the number is the caller's, and isn't used again.
using LinkId = std::uint64_t;

/// The way to another router.
struct Route {
  LinkId link = 0;
  std::string next_hop;  ///< the neighbour's id; the router itself if it is one
  std::int64_t cost = 0;
  bool operator==(const Route&) const = default;
};

/// A router with consumers of an address.
struct RemoteConsumer {
  std::string router;
  std::int64_t cost = 0;
  bool operator==(const RemoteConsumer&) const = default;
};

/// Where the consumers of an address are. An address without any isn't in the table.
struct Consumers {
  wire::Treatment treatment = wire::Treatment::balanced;
  std::size_t local = 0;
  std::vector<RemoteConsumer> remote;  ///< reachable ones only, the nearest first, then by id
  bool operator==(const Consumers&) const = default;
};

/// What forwarding needs to know. A value: copy it and read the copy from any thread.
struct RoutingTable {
  std::map<std::string, Route> routes;         ///< by router id; unreachable ones aren't here
  std::map<std::string, Consumers> addresses;  ///< by key (wire::mobile_key, wire::edge_key)

  /// Null if there is none.
  const Route* route(const std::string& router) const;
  const Consumers* consumers(const std::string& key) const;
  bool operator==(const RoutingTable&) const = default;
};

}  // namespace knetsim::skupper::routing
