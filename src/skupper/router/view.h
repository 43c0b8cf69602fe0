#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/skupper/config.h"
#include "routing/table.h"
#include "wire/message.h"

namespace knetsim::skupper::router {

class RouterConnection;

/// What flows of an address are balanced by.
struct Load {
  std::atomic<std::uint64_t> active = 0;
  std::atomic<std::uint64_t> total = 0;
};

/// A tcpConnector of this router: where an address is served.
struct Service {
  TcpConnector config;
  Load load;
};

/// A router next door, and the connections that carry flows to it.
struct Neighbour {
  std::string id;
  std::vector<std::shared_ptr<RouterConnection>> connections;
};

/// A router at the network's edge that consumes an address: to us like a service of our own.
struct EdgeConsumer {
  std::shared_ptr<RouterConnection> connection;
  std::shared_ptr<Load> load;
};

/// What a shard needs to know to hand a flow on. Immutable: when something changes, every shard gets a new one.
struct View {
  std::string router_id;
  routing::RoutingTable table;
  std::map<std::string, std::vector<std::shared_ptr<Service>>> services;       ///< by address
  std::map<std::string, std::map<std::string, std::shared_ptr<Load>>> remote;  ///< by address, then router
  std::map<routing::LinkId, Neighbour> neighbours;                             ///< by control link
  std::map<std::string, std::vector<EdgeConsumer>> edge_consumers;             ///< by address
  std::map<std::string, std::shared_ptr<RouterConnection>> edges;              ///< by router
  /// Of an edge router: its way to everything, and the addresses that lead somewhere there.
  std::shared_ptr<RouterConnection> uplink;
  std::map<std::string, std::shared_ptr<Load>> upstream;
};

class RouterConnection;

/// Where a flow goes.
struct FlowTarget {
  std::shared_ptr<Service> service;              ///< here, or
  std::shared_ptr<RouterConnection> connection;  ///< at an edge or, for an edge, in the interior, or
  std::string router;                            ///< there
  std::shared_ptr<Load> load;
};

/// As skrouterd balances: the consumer of `address` with the fewest open flows, where each hop of cost counts like one;
/// then the one that has had fewest. `passed`: what a flow from another router tells of its way, so that none goes in
/// circles; nullptr for a client of ours.
std::optional<FlowTarget> choose_target(const View& view, const std::string& address,
                                        const wire::RouterAnnotations* passed);

}  // namespace knetsim::skupper::router
