#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
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

/// One thread's world: its event loop, its buffers, its copy of the routes. A connection belongs to one shard, which
/// alone touches it, so that bytes go from socket to socket without a lock and without waking another thread.
class Shard {
 public:
  Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// Makes the calling thread this shard's, and works until stop(). What an event throws goes to `failed`; the next one
  /// comes.
  void run(const std::function<void(const std::exception&)>& failed);
  void stop() { context_.stop(); }
  /// Makes the calling thread this shard's, and does what there is to do now.
  void poll();
  /// Whether the calling thread is this shard's.
  bool here() const noexcept;
  boost::asio::io_context& context() noexcept { return context_; }

  /// From any thread.
  template <typename F>
  void post(F&& f) {
    boost::asio::post(context_, std::forward<F>(f));
  }

  /// What has just been read from a socket, until it is handed on; and what is just about to be written to one.
  std::span<char> input() noexcept { return *input_; }
  std::span<char> output() noexcept { return *output_; }

  /// Keeps an object alive until release(). From this shard's thread.
  void keep(std::shared_ptr<void> object) { kept_.emplace(object.get(), object); }
  void release(void* object) { kept_.erase(object); }

  const View& view() const noexcept { return *view_; }
  /// From this shard's thread.
  void set_view(std::shared_ptr<const View> view) noexcept { view_ = std::move(view); }

 private:
  static constexpr std::size_t kBuffer = 256 * 1024;

  boost::asio::io_context context_{1};
  std::unique_ptr<std::array<char, kBuffer>> input_ = std::make_unique_for_overwrite<std::array<char, kBuffer>>();
  std::unique_ptr<std::array<char, kBuffer>> output_ = std::make_unique_for_overwrite<std::array<char, kBuffer>>();
  std::shared_ptr<const View> view_;
  std::unordered_map<void*, std::shared_ptr<void>> kept_;
};

}  // namespace knetsim::skupper::router
