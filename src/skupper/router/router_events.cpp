#include <fmt/format.h>

#include <algorithm>

#include "router/router.h"
#include "router/sockets.h"
#include "wire/address.h"

// What the router does when something happens: on its connections, in the routing protocol.

// Edge routers: what the interior does for those that are connected to it, and what an edge router does itself.

namespace knetsim::skupper::router {

std::variant<Shard*, std::string> Router::greeted(RouterConnection& connection) {
  const auto& peer = connection.peer_open();
  // Those that we took in are still here, on the first shard.
  if (!connection.settings().initiator) strangers_.erase(connection.id());
  if (connection.settings().role == Role::normal) return &connection.shard();
  if (const auto reason = wire::refusal(peer, config_.router.id)) return *reason;
  if (connection.settings().initiator || !peer.data) return &connection.shard();
  return &next_data_shard();
}

void Router::opened(std::shared_ptr<RouterConnection> connection) {
  const auto& settings = connection->settings();
  log_.info("ROUTER_CORE",
            fmt::format("[C{}] Connection Opened: dir={} host={} container_id={} role={}{}", connection->id(),
                        settings.initiator ? "out" : "in", connection->peer(), connection->router(),
                        to_string(settings.role), settings.open.data || connection->peer_open().data ? "-data" : ""));
  if (settings.role == Role::normal) return;
  if (settings.role == Role::edge) {
    if (!settings.initiator) return;  // its links tell what it is for
    attach_to_interior(*connection);
    return core().post([this, connection = std::move(connection)] {
      if (!connection->ended()) uplink_ = connection;
      publish();
    });
  }
  core().post([this, connection = std::move(connection)] {
    if (!connection->ended()) connections_.insert(connection);
    publish();
  });
}

void Router::control_ready(std::shared_ptr<RouterConnection> connection) {
  core().post([this, connection = std::move(connection)] {
    if (connection->ended()) return;
    control_[connection->id()] = connection;
    engine_.link_up(connection->id(), std::max(connection->settings().cost, connection->peer_open().cost));
    poll_soon();
  });
}

void Router::control_message(const RouterConnection& connection, std::string message) {
  core().post([this, id = connection.id(), message = std::move(message)] {
    engine_.receive(id, message, routing::Clock::now());
    poll_soon();
  });
}

void Router::closed(std::shared_ptr<RouterConnection> connection, const std::string& reason) {
  const auto level = connection->established() && reason.empty() ? LogLevel::info : LogLevel::error;
  log_.write("ROUTER_CORE", level,
             fmt::format("[C{}] Connection Closed: {} ({}){}{}", connection->id(), connection->peer(),
                         connection->router(), reason.empty() ? "" : ": ", reason));
  if (const auto& dialler = connection->settings().dialler) dialler->ended(connection->established());
  core().post([this, connection = std::move(connection)] {
    strangers_.erase(connection->id());
    memory_is_free_ = true;
    keep_house();
    forget_edge(connection);
    connections_.erase(connection);
    control_.erase(connection->id());
    engine_.link_down(connection->id());
    publish();
    poll_soon();
  });
}

void Router::poll_soon() {
  if (std::exchange(poll_posted_, true)) return;
  core().post([this] {
    poll_posted_ = false;
    poll();
  });
}

void Router::poll() {
  auto output = engine_.poll(routing::Clock::now());
  for (const auto& line : output.log) log_.write(line.module, line.level, line.text);
  for (auto& transmission : output.transmissions)
    if (const auto found = control_.find(transmission.link); found != control_.end())
      found->second->run_there([message = std::move(transmission.message)](RouterConnection& connection) {
        connection.send_control(message);
      });
  for (const auto& refusal : output.refusals)
    if (const auto found = control_.find(refusal.link); found != control_.end())
      found->second->run_there([reason = refusal.reason](RouterConnection& connection) {
        connection.complain(reason);
        connection.close_with("amqp:not-allowed", reason);
      });
  if (output.routes_changed || !output.addresses_changed.empty()) {
    publish();
    adjust_tcp_listeners();
    tell_edges();
  }
  timer_.expires_at(engine_.next_poll());
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) poll_soon();
  });
}

void Router::publish() {
  auto view = std::make_shared<View>();
  view->router_id = config_.router.id;
  view->table = engine_.table();
  view->services = services_;
  for (const auto& [key, consumers] : view->table.addresses) {
    if (!key.starts_with('M')) continue;
    auto& loads = remote_loads_[key.substr(1)];
    for (const auto& remote : consumers.remote)
      if (auto& load = loads[remote.router]; !load) load = std::make_shared<Load>();
  }
  view->remote = remote_loads_;
  for (const auto& [link, control] : control_) {
    auto& neighbour = view->neighbours[link];
    neighbour.id = control->router();
    for (const auto& connection : connections_)
      if (connection->router() == neighbour.id && connection != control && !control_.contains(connection->id()))
        neighbour.connections.push_back(connection);
    if (neighbour.connections.empty()) neighbour.connections.push_back(control);
  }
  add_edges(*view);
  for (const auto& shard : shards_) {
    if (shard->here()) {
      shard->set_view(view);
    } else {
      shard->post([&shard = *shard, view] { shard.set_view(view); });
    }
  }
}

void Router::adjust_tcp_listeners() {
  for (const auto& listener : config_.tcp_listeners) {
    const bool wanted = served(listener.address);
    const auto open = tcp_acceptors_.find(listener.name);
    if (wanted == (open != tcp_acceptors_.end())) continue;
    const auto where = fmt::format("{}:{}", listener.host, listener.port);
    if (!wanted) {
      tcp_acceptors_.erase(open);
      log_.notice("TCP_ADAPTOR", fmt::format("Listener {}: {} has no consumer, stopped listening on {}", listener.name,
                                             listener.address, where));
      continue;
    }
    try {
      auto accepted = [this, address = listener.address](boost::asio::ip::tcp::socket socket) {
        flows_.accept(core(), std::move(socket), address);
      };
      tcp_acceptors_[listener.name] =
          std::make_unique<Acceptor>(core(), listener.host, listener.port, listener.backlog, std::move(accepted));
      log_.notice("TCP_ADAPTOR", fmt::format("Listener {}: listening for client connections on {} (for {})",
                                             listener.name, where, listener.address));
      listener_failures_.erase(listener.name);
    } catch (const Error& error) {
      // Once for each reason: it is tried whenever something changes.
      if (std::exchange(listener_failures_[listener.name], error.what()) != error.what())
        log_.error("TCP_ADAPTOR", fmt::format("Listener {}: {}", listener.name, error.what()));
    }
  }
}

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
