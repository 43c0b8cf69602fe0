#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "knetsim/skupper/config.h"
#include "routing/table.h"

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

}  // namespace knetsim::skupper::router
