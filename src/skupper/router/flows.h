#pragma once

#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

#include "router/log.h"
#include "router/shard.h"
#include "router/stream.h"
#include "wire/address.h"
#include "wire/message.h"

namespace knetsim::skupper::router {

struct FlowTarget;
class IncomingStream;
class OutgoingStream;
class TcpEndpoint;

/// Takes TCP flows in, at listeners and from other routers, and finds where each goes on. Used by all shards at once.
class Flows {
 public:
  struct Counters {
    std::atomic<std::uint64_t> accepted = 0;   ///< connections of clients
    std::atomic<std::uint64_t> connected = 0;  ///< connections to services
    std::atomic<std::uint64_t> refused = 0;    ///< of those, that failed
    std::atomic<std::uint64_t> transit = 0;    ///< streams passed on to another router
    std::atomic<std::int64_t> open = 0;        ///< endpoints
    std::atomic<std::int64_t> links = 0;       ///< ours that carry streams to other routers
  };

  /// `edge`: replies come by way of the interior.
  Flows(std::string router_id, bool edge, const Log& log);

  /// A client has connected to the listener of `address`. On the acceptor's shard.
  void accept(Shard& shard, boost::asio::ip::tcp::socket socket, const std::string& address);

  /// Where a delivery of another router goes, once its head is complete.
  struct Dispatched {
    OutletRef outlet;          ///< empty: nowhere
    std::size_t consumed = 0;  ///< bytes of the head
  };
  /// nullopt: more bytes are needed. Throws wire::ProtocolError if they aren't a flow's.
  std::optional<Dispatched> dispatch(IncomingStream& stream, std::string_view bytes);

  const Log& log() const noexcept { return log_; }
  const std::string& router_id() const noexcept { return router_id_; }
  const Counters& counters() const noexcept { return counters_; }
  std::atomic<std::int64_t>& link_count() noexcept { return counters_.links; }
  std::string new_discriminator();
  /// Delivery tags count up, as skrouterd's.
  std::array<char, 8> new_tag();

 private:
  OutletRef pass_on_to(IncomingStream& stream, std::string head, std::shared_ptr<RouterConnection> connection);
  OutletRef serve(IncomingStream& stream, const wire::FlowHead& head, const std::shared_ptr<Service>& service);
  OutletRef reply(IncomingStream& stream, const std::string& name);
  OutletRef pass_on(IncomingStream& stream, std::string head, const std::string& router);
  void connect_local(const std::shared_ptr<TcpEndpoint>& client, const std::shared_ptr<Service>& service);
  void request(Shard& shard, boost::asio::ip::tcp::socket socket, const std::string& address, const FlowTarget& target,
               std::shared_ptr<RouterConnection> connection);
  std::shared_ptr<RouterConnection> any_connection_to(Shard& shard, const std::string& router);
  std::shared_ptr<RouterConnection> connection_to(Shard& shard, const std::string& router);
  std::shared_ptr<RouterConnection> connection_to_edge(Shard& shard, const std::string& edge);
  wire::Address reply_to(const std::string& name) const;
  std::function<void()> count_endpoint(std::shared_ptr<void> load);

  std::string router_id_;
  bool edge_;
  const Log& log_;
  Counters counters_;
  std::string flow_prefix_;
  std::atomic<std::uint64_t> next_flow_ = 1;
  std::atomic<std::uint64_t> next_tag_ = 0;
  std::atomic<std::uint64_t> next_connection_ = 0;
  std::mutex mutex_;
  std::mt19937_64 random_{std::random_device{}()};                                          // guarded by mutex_
  std::unordered_map<std::string, std::pair<Shard*, std::weak_ptr<TcpEndpoint>>> replies_;  // guarded by mutex_
};

}  // namespace knetsim::skupper::router
