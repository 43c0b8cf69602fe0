#pragma once

#include <proton/connection_driver.h>
#include <proton/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/skupper/config.h"
#include "router/shard.h"

namespace knetsim::skupper::router {

/// Credentials and rules for the TLS of AMQP connections, from an sslProfile. Both throw InputError naming the profile
/// and the file that can't be used.
using TlsDomain = std::shared_ptr<pn_ssl_domain_t>;
TlsDomain client_domain(const SslProfile& profile, bool verify_hostname);
/// `authenticate_peer`: clients must have a certificate of the profile's CA. `require`: none without TLS.
TlsDomain server_domain(const SslProfile& profile, bool authenticate_peer, bool require);

/// Before the first byte. `hostname` is what a client verifies; empty for servers.
void secure(pn_transport_t* transport, const TlsDomain& domain, const std::string& hostname);

/// An AMQP connection: a socket, and Qpid Proton's engine that speaks the protocol on it. The engine's own I/O (its
/// proactor) isn't used: it moves 16 KiB a system call, and wakes a thread for each hand-over. Here bytes move in
/// pieces of up to 256 KiB, and whoever has some puts them into the engine directly. See docs/decisions/.
///
/// Lives on one shard; all calls on its thread.
class AmqpConnection : public std::enable_shared_from_this<AmqpConnection> {
 public:
  enum class Side { client, server };

  AmqpConnection(Shard& shard, boost::asio::ip::tcp::socket socket, Side side);
  AmqpConnection(const AmqpConnection&) = delete;
  AmqpConnection& operator=(const AmqpConnection&) = delete;
  virtual ~AmqpConnection();

  /// Begins to read and write. Transport and connection are configured by then.
  void start();
  /// Something was put into the engine: it will be written soon, together with what else comes until then.
  void touch();
  /// Closes the connection with an AMQP error, as soon as that is written.
  void close_with(const char* condition, const std::string& description);
  /// Ends it at once, without a word to the peer.
  void give_up(const std::string& reason);

  Shard& shard() const noexcept { return *shard_; }
  bool open() const noexcept { return socket_.is_open(); }
  /// "10.9.0.2:48912"
  const std::string& peer() const noexcept { return peer_; }
  pn_connection_t* connection() const noexcept { return driver_.connection; }
  pn_transport_t* transport() const noexcept { return driver_.transport; }

 protected:
  virtual void on_event(pn_event_t* event) = 0;
  /// The engine is about to be asked for its output.
  virtual void on_output() = 0;
  /// The last call. `reason` is empty if both sides closed in good order.
  virtual void on_disconnected(const std::string& reason) = 0;
  /// Goes on on another shard, where `then` is called. Only while nothing on this shard refers to it.
  void move_to(Shard& shard, std::function<void()> then);

 private:
  struct Move {
    Shard* shard;
    std::function<void()> then;
  };

  void wait_readable();
  void wait_writable();
  void read();
  void feed(std::string_view bytes);
  /// Handles what the engine has to tell, and writes what it has to say. False if the connection has ended, or moved.
  bool run();
  void write();
  void move();
  std::string_view gather();
  void tick();
  void end();
  std::string reason() const;

  Shard* shard_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  pn_connection_driver_t driver_{};
  std::string peer_;
  std::string unwritten_;
  std::string socket_error_;
  std::optional<Move> moving_;
  Shard* target_ = nullptr;  ///< on its way there
  bool running_ = false;
  bool closing_ = false;
  bool touched_ = false;
  bool waits_for_writable_ = false;
  bool ended_ = false;
};

}  // namespace knetsim::skupper::router
