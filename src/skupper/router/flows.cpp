#include "router/flows.h"

#include <fmt/format.h>

#include <functional>

#include "router/incoming_stream.h"
#include "router/outgoing_stream.h"
#include "router/router_connection.h"
#include "router/tcp_endpoint.h"

namespace knetsim::skupper::router {

namespace {

/// One flow more, for as long as it is held.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<Load> load) : load_(std::move(load)) {
    ++load_->active;
    ++load_->total;
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { --load_->active; }

 private:
  std::shared_ptr<Load> load_;
};

std::shared_ptr<void> ticket(std::shared_ptr<Load> load) { return std::make_shared<Ticket>(std::move(load)); }
std::shared_ptr<void> ticket(const std::shared_ptr<Service>& service) {
  return ticket(std::shared_ptr<Load>(service, &service->load));
}

}  // namespace

Flows::Flows(std::string router_id, bool edge, const Log& log)
    : router_id_(std::move(router_id)), edge_(edge), log_(log) {
  flow_prefix_ = new_discriminator().substr(0, 5);
}

std::string Flows::new_discriminator() {
  const std::lock_guard lock(mutex_);
  return wire::make_discriminator([this] { return random_(); });
}

std::array<char, 8> Flows::new_tag() {
  std::array<char, 8> tag{};
  auto number = next_tag_++;
  for (auto& byte : tag) {
    byte = static_cast<char>(number & 0xFF);
    number >>= 8;
  }
  return tag;
}

std::function<void()> Flows::count_endpoint(std::shared_ptr<void> load) {
  ++counters_.open;
  return [this, load = std::move(load)]() mutable {
    --counters_.open;
    load.reset();
  };
}

namespace {

const std::vector<std::shared_ptr<RouterConnection>>& connections_towards(const View& view, const std::string& router) {
  static const std::vector<std::shared_ptr<RouterConnection>> none;
  const auto* route = view.table.route(router);
  const auto neighbour = route ? view.neighbours.find(route->link) : view.neighbours.end();
  return neighbour == view.neighbours.end() ? none : neighbour->second.connections;
}

}  // namespace

/// A connection towards `router`, taking turns.
std::shared_ptr<RouterConnection> Flows::any_connection_to(Shard& shard, const std::string& router) {
  const auto& all = connections_towards(shard.view(), router);
  return all.empty() ? nullptr : all.at(next_connection_++ % all.size());
}

/// The same, but one of this shard if there is any.
std::shared_ptr<RouterConnection> Flows::connection_to(Shard& shard, const std::string& router) {
  if (edge_) return shard.view().uplink;
  const auto& all = connections_towards(shard.view(), router);
  if (all.empty()) return nullptr;
  const auto turn = next_connection_++;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& candidate = all.at((turn + i) % all.size());
    if (&candidate->shard() == &shard) return candidate;
  }
  return all.at(turn % all.size());
}

void Flows::accept(Shard& shard, boost::asio::ip::tcp::socket socket, const std::string& address) {
  ++counters_.accepted;
  const auto target = choose_target(shard.view(), address, nullptr);
  if (!target) return;  // the listener is about to be closed, as is the socket
  if (target->service) {
    auto client = std::make_shared<TcpEndpoint>(shard, std::move(socket), count_endpoint(nullptr));
    client->adopt();
    return connect_local(client, target->service);
  }
  auto connection = target->connection ? target->connection : any_connection_to(shard, target->router);
  if (!connection) return;
  auto& home = connection->shard();
  if (&home == &shard) return request(shard, std::move(socket), address, *target, std::move(connection));
  boost::system::error_code ignored;
  const auto protocol = socket.local_endpoint(ignored).protocol();
  const auto fd = socket.release(ignored);
  home.post([this, &home, fd, protocol, address, target = *target, connection = std::move(connection)] {
    request(home, boost::asio::ip::tcp::socket(home.context(), protocol, fd), address, target, connection);
  });
}

/// Sends the client's stream to the service's router, and waits for the answering one.
void Flows::request(Shard& shard, boost::asio::ip::tcp::socket socket, const std::string& address,
                    const FlowTarget& target, std::shared_ptr<RouterConnection> connection) {
  const auto name = "temp." + new_discriminator();
  auto counted = count_endpoint(ticket(target.load));
  auto closed = [this, name, counted = std::move(counted)]() mutable {
    counted();
    const std::lock_guard lock(mutex_);
    replies_.erase(name);
  };
  auto client = std::make_shared<TcpEndpoint>(shard, std::move(socket), std::move(closed));
  client->adopt();
  {
    const std::lock_guard lock(mutex_);
    replies_.emplace(name, std::pair(&shard, client));
  }
  const auto head = wire::flow_request(router_id_, address, wire::to_string(reply_to(name)),
                                       fmt::format("{}:{}", flow_prefix_, next_flow_++));
  auto stream = std::make_shared<OutgoingStream>(std::move(connection), wire::encode(head), InletRef(shard, client));
  client->set_outlet({shard, stream});
  stream->start();
}

/// Where the answer to a client is to go.
wire::Address Flows::reply_to(const std::string& name) const {
  if (edge_) return wire::EdgeAddress{router_id_, name};
  return wire::TopologicalAddress{"0", router_id_, name};
}

void Flows::connect_local(const std::shared_ptr<TcpEndpoint>& client, const std::shared_ptr<Service>& service) {
  auto& shard = client->shard();
  ++counters_.connected;
  auto server = std::make_shared<TcpEndpoint>(shard, count_endpoint(ticket(service)));
  client->set_inlet({shard, server});
  client->set_outlet({shard, server});
  server->set_inlet({shard, client});
  server->set_outlet({shard, client});
  server->connect(service->config.host, service->config.port, [=, this](const std::string& failure) {
    if (!failure.empty()) {
      ++counters_.refused;
      return client->refused();
    }
    client->start_reading();
    server->start_reading();
  });
}

std::optional<Flows::Dispatched> Flows::dispatch(IncomingStream& stream, std::string_view bytes) {
  const auto parsed = wire::parse_flow(bytes);
  if (!parsed) return std::nullopt;
  const auto& head = parsed->head;
  Dispatched result{{}, parsed->length};
  if (wire::has_passed(head.annotations, router_id_)) return result;
  const auto forwarded = [&] {
    const auto annotations = wire::forward_annotations(bytes, router_id_);
    return annotations->encoded + std::string(bytes.substr(annotations->length, parsed->length - annotations->length));
  };
  const auto address = wire::parse_address(head.annotations.to_override.value_or(head.to));
  if (const auto* topological = std::get_if<wire::TopologicalAddress>(&address)) {
    result.outlet = topological->router == router_id_ ? reply(stream, topological->local)
                                                      : pass_on(stream, forwarded(), topological->router);
  } else if (const auto* edge = std::get_if<wire::EdgeAddress>(&address)) {
    result.outlet = edge_ && edge->router == router_id_
                        ? reply(stream, edge->local)
                        : pass_on_to(stream, forwarded(), connection_to_edge(stream.shard(), edge->router));
  } else if (const auto* mobile = std::get_if<wire::MobileAddress>(&address)) {
    if (const auto target = choose_target(stream.shard().view(), mobile->name, &head.annotations))
      result.outlet = target->service      ? serve(stream, head, target->service)
                      : target->connection ? pass_on_to(stream, forwarded(), target->connection)
                                           : pass_on(stream, forwarded(), target->router);
  }
  return result;
}

/// The answer to a request of one of our clients.
OutletRef Flows::reply(IncomingStream& stream, const std::string& name) {
  std::pair<Shard*, std::weak_ptr<TcpEndpoint>> entry{};
  {
    const std::lock_guard lock(mutex_);
    const auto found = replies_.find(name);
    if (found == replies_.end()) return {};
    entry = found->second;
    replies_.erase(found);
  }
  auto client = entry.second.lock();
  if (!client) return {};
  auto start = [client, inlet = InletRef(stream.shard(), stream.weak_from_this())] {
    if (!client->open()) return inlet.refused();
    client->set_inlet(inlet);
    client->start_reading();
  };
  entry.first->here() ? start() : entry.first->post(start);
  return {*entry.first, client};
}

/// An edge router is reached by its own connection, or by the router that it is connected to.
std::shared_ptr<RouterConnection> Flows::connection_to_edge(Shard& shard, const std::string& edge) {
  if (edge_) return shard.view().uplink;
  if (const auto found = shard.view().edges.find(edge); found != shard.view().edges.end()) return found->second;
  const auto* consumers = shard.view().table.consumers(wire::edge_key(edge));
  return consumers && !consumers->remote.empty() ? connection_to(shard, consumers->remote.front().router) : nullptr;
}

OutletRef Flows::pass_on(IncomingStream& stream, std::string head, const std::string& router) {
  return pass_on_to(stream, std::move(head), connection_to(stream.shard(), router));
}

OutletRef Flows::pass_on_to(IncomingStream& stream, std::string head, std::shared_ptr<RouterConnection> connection) {
  if (!connection) return {};
  ++counters_.transit;
  auto& home = connection->shard();
  auto onward = std::make_shared<OutgoingStream>(std::move(connection), std::move(head),
                                                 InletRef(stream.shard(), stream.weak_from_this()));
  onward->start();
  return {home, onward};
}

/// A request for one of our services: connects to it, and answers with a stream of its own.
OutletRef Flows::serve(IncomingStream& stream, const wire::FlowHead& head, const std::shared_ptr<Service>& service) {
  const auto answer_to = head.reply_to.value_or("");
  const auto address = wire::parse_address(answer_to);
  const auto* topological = std::get_if<wire::TopologicalAddress>(&address);
  const auto* edge = std::get_if<wire::EdgeAddress>(&address);
  if (!topological && !edge)
    throw wire::ProtocolError("a flow whose reply-to is no address of a router: \"" + answer_to + '"');
  ++counters_.connected;
  auto& shard = stream.shard();
  auto server = std::make_shared<TcpEndpoint>(shard, count_endpoint(ticket(service)));
  const InletRef inlet(shard, stream.weak_from_this());
  server->set_inlet(inlet);
  server->connect(service->config.host, service->config.port,
                  [this, &shard, server, inlet, answer_to, service, at_edge = edge != nullptr,
                   router = edge ? edge->router : topological->router,
                   arrival = std::static_pointer_cast<RouterConnection>(stream.connection().shared_from_this())](
                      const std::string& failure) {
                    if (!failure.empty()) {
                      ++counters_.refused;
                      log_.info("TCP_ADAPTOR", fmt::format("{}: can't connect to {}:{}: {}", service->config.name,
                                                           service->config.host, service->config.port, failure));
                      return inlet.refused();
                    }
                    // The answer takes the way that the request came, if it leads there or if no other is known yet.
                    auto connection = arrival->router() == router && arrival->open() ? arrival
                                      : at_edge                                      ? connection_to_edge(shard, router)
                                                                                     : connection_to(shard, router);
                    if (!connection) connection = arrival;
                    auto& home = connection->shard();
                    auto answer = std::make_shared<OutgoingStream>(
                        std::move(connection), wire::encode(wire::flow_reply(router_id_, answer_to)),
                        InletRef(shard, server));
                    server->set_outlet({home, answer});
                    answer->start();
                    server->start_reading();
                  });
  return {shard, server};
}

}  // namespace knetsim::skupper::router
