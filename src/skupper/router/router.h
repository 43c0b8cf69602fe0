#pragma once

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "knetsim/skupper/config.h"
#include "knetsim/sys/http_pages.h"
#include "router/flows.h"
#include "router/log.h"
#include "router/router_connection.h"
#include "router/shard.h"
#include "router/sockets.h"
#include "routing/engine.h"

namespace knetsim::skupper::router {

/// "0.1.0": what the router calls itself, also to its peers.
std::string version();

/// knetsim-skrouterd: listens, connects, follows the routing protocol, and keeps what the shards know in step with it.
/// All of this on the first shard, which the thread that calls run() works for.
class Router : public ConnectionObserver {
 public:
  /// Reads what the config refers to. Throws InputError if that can't be used. Nothing is started yet.
  explicit Router(Config config);
  ~Router() override;

  /// Until SIGINT or SIGTERM, or a listener that can't listen; returns the exit code. Connections then end with the
  /// process.
  int run();

 private:
  void log_start();
  void listen(const Listener& listener);
  void serve_amqp(const Listener& listener, boost::asio::ip::tcp::socket socket);
  void connect(const Connector& connector);
  void dial(const Connector& connector, bool control, Shard& shard, const std::string& correlator);
  RouterConnection::Settings settings(const ConnectionSettings& limits, Role role);

  /// Strangers that take too long, or are too many, are let go; the memory of connections that have ended is given
  /// back.
  void keep_house();

  // router_events.cpp: what happens on connections and in the routing protocol. On any shard.
  std::variant<Shard*, std::string> greeted(RouterConnection& connection) override;
  void opened(std::shared_ptr<RouterConnection> connection) override;
  void control_ready(std::shared_ptr<RouterConnection> connection) override;
  void control_message(const RouterConnection& connection, std::string message) override;
  void edge_consumes(std::shared_ptr<RouterConnection> connection, const std::string& address, bool topological,
                     bool does) override;
  void edge_produces(std::shared_ptr<RouterConnection> connection, const std::string& address) override;
  void reachable(const RouterConnection& connection, const std::string& address, bool is) override;
  void closed(std::shared_ptr<RouterConnection> connection, const std::string& reason) override;

  /// Lets the engine work, soon.
  void poll_soon();
  void poll();
  /// Gives the shards a new view.
  void publish();
  void adjust_tcp_listeners();
  /// What this edge router serves, and what it has entrances to.
  void attach_to_interior(RouterConnection& connection) const;
  void add_edges(View& view) const;
  void forget_edge(const std::shared_ptr<RouterConnection>& connection);
  /// Whether it is of use to a client to connect to `address`.
  bool served(const std::string& address) const;
  void tell_edges();
  Shard& core() noexcept { return *shards_.front(); }
  Shard& next_data_shard();

  Config config_;
  Log log_;
  Flows flows_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::atomic<std::size_t> next_shard_ = 0;
  std::atomic<std::uint64_t> next_connection_ = 1;
  std::map<std::string, TlsDomain> client_tls_;  ///< by connector
  std::map<std::string, TlsDomain> server_tls_;  ///< by listener

  // The first shard's alone.
  routing::Engine engine_;
  boost::asio::steady_timer timer_;
  bool poll_posted_ = false;
  /// A connection whose peer hasn't introduced itself yet; by its id, so that the oldest is the first.
  struct Stranger {
    std::weak_ptr<RouterConnection> connection;
    std::optional<std::chrono::steady_clock::time_point> deadline;
  };
  std::map<std::uint64_t, Stranger> strangers_;
  boost::asio::steady_timer house_timer_;
  bool house_is_due_ = false;
  bool memory_is_free_ = false;
  std::map<std::string, std::string> listener_failures_;  ///< of tcpListeners, as logged last
  std::map<std::string, HttpPages> pages_;                ///< by listener
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::map<std::string, std::unique_ptr<Acceptor>> tcp_acceptors_;  ///< by tcpListener
  std::set<std::shared_ptr<RouterConnection>> connections_;
  std::map<routing::LinkId, std::shared_ptr<RouterConnection>> control_;
  std::map<std::string, std::vector<std::shared_ptr<Service>>> services_;
  std::map<std::string, std::map<std::string, std::shared_ptr<Load>>> remote_loads_;
  /// What an edge router consumes, by connection: its addresses.
  struct Edge {
    std::shared_ptr<RouterConnection> connection;
    bool downlink = false;
    std::map<std::string, std::shared_ptr<Load>> consumed;
    std::map<std::string, bool> told;  ///< addresses that it wants to hear of; what it heard last
  };
  std::map<std::uint64_t, Edge> edges_;
  std::shared_ptr<RouterConnection> uplink_;               ///< of an edge router
  std::map<std::string, std::shared_ptr<Load>> upstream_;  ///< reachable there, by address
  int exit_code_ = 0;
};

}  // namespace knetsim::skupper::router
