// Edge routers: what the interior does for those that are connected to it, and what an edge router does itself.

#include "router/router.h"
#include "wire/address.h"

namespace knetsim::skupper::router {

void Router::attach_to_interior(RouterConnection& connection) const {
  std::set<std::string> consumed;
  std::set<std::string> produced;
  for (const auto& connector : config_.tcp_connectors) consumed.insert(connector.address);
  for (const auto& listener : config_.tcp_listeners) produced.insert(listener.address);
  connection.attach_edge_links({consumed.begin(), consumed.end()}, {produced.begin(), produced.end()});
}

void Router::edge_consumes(std::shared_ptr<RouterConnection> connection, const std::string& address, bool topological,
                           bool does) {
  core().post([this, connection = std::move(connection), address, topological, does] {
    if (connection->ended()) return;
    auto& edge = edges_[connection->id()];
    edge.connection = connection;
    if (topological) {
      if (!std::exchange(edge.downlink, true)) engine_.add_consumer(wire::edge_key(address));
    } else if (does) {
      if (edge.consumed.emplace(address, std::make_shared<Load>()).second)
        engine_.add_consumer(wire::mobile_key(address));
    } else if (edge.consumed.erase(address) > 0) {
      engine_.remove_consumer(wire::mobile_key(address));
    }
    publish();
    poll_soon();
  });
}

void Router::edge_produces(std::shared_ptr<RouterConnection> connection, const std::string& address) {
  core().post([this, connection = std::move(connection), address] {
    if (connection->ended()) return;
    auto& edge = edges_[connection->id()];
    edge.connection = connection;
    edge.told.emplace(address, false);
    tell_edges();
  });
}

void Router::reachable(const RouterConnection& connection, const std::string& address, bool is) {
  core().post([this, id = connection.id(), address, is] {
    if (!uplink_ || uplink_->id() != id) return;
    if (is) {
      upstream_.emplace(address, std::make_shared<Load>());
    } else {
      upstream_.erase(address);
    }
    publish();
    adjust_tcp_listeners();
  });
}

void Router::forget_edge(const std::shared_ptr<RouterConnection>& connection) {
  if (connection == uplink_) {
    uplink_ = nullptr;
    upstream_.clear();
    publish();
    adjust_tcp_listeners();
  }
  const auto found = edges_.find(connection->id());
  if (found == edges_.end()) return;
  for (const auto& [address, load] : found->second.consumed) engine_.remove_consumer(wire::mobile_key(address));
  if (found->second.downlink) engine_.remove_consumer(wire::edge_key(connection->router()));
  edges_.erase(found);
}

void Router::add_edges(View& view) const {
  view.uplink = uplink_;
  view.upstream = upstream_;
  for (const auto& [id, edge] : edges_) {
    if (edge.downlink) view.edges[edge.connection->router()] = edge.connection;
    for (const auto& [address, load] : edge.consumed) view.edge_consumers[address].push_back({edge.connection, load});
  }
}

bool Router::served(const std::string& address) const {
  return engine_.table().consumers(wire::mobile_key(address)) != nullptr || upstream_.contains(address);
}

/// An edge router's own service is no news to it.
void Router::tell_edges() {
  for (auto& [id, edge] : edges_)
    for (auto& [address, told] : edge.told) {
      const auto* consumers = engine_.table().consumers(wire::mobile_key(address));
      const std::size_t own = edge.consumed.contains(address) ? 1 : 0;
      const bool is = consumers && (consumers->local > own || !consumers->remote.empty());
      if (is == std::exchange(told, is)) continue;
      edge.connection->run_there([address = address, is](RouterConnection& one) { one.tell_reachable(address, is); });
    }
}

}  // namespace knetsim::skupper::router
