#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "knetsim/skupper/config.h"
#include "router/log.h"
#include "router/shard.h"

namespace knetsim::skupper::router {

/// No delay for small segments (TCP_NODELAY), no blocking.
void make_prompt(boost::asio::ip::tcp::socket& socket);
/// Closes with a RST instead of a FIN.
void reset(boost::asio::ip::tcp::socket& socket);
/// "10.9.0.2:48912", "[fd00::2]:48912"; "unknown" if it isn't connected.
std::string peer_name(const boost::asio::ip::tcp::socket& socket);
std::string to_string(const boost::asio::ip::tcp::endpoint& endpoint);

/// Listens on one port, on each address that a host has (empty: all addresses, of both families). Closed with its
/// owner.
class Acceptor {
 public:
  using Accepted = std::function<void(boost::asio::ip::tcp::socket)>;

  /// Throws SystemError if it can't listen. `backlog` 0: as much as the kernel allows.
  Acceptor(Shard& shard, const std::string& host, std::uint16_t port, int backlog, Accepted accepted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// With the port that the kernel chose, if it was to.
  std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;

 private:
  struct Port;

  std::vector<std::shared_ptr<Port>> ports_;
};

/// Connects to a router, and again whenever the connection ends: after 20 ms at first, then after twice as long each
/// time, up to 2 s. On the shard that it is made for.
class Dialler : public std::enable_shared_from_this<Dialler> {
 public:
  using Connected = std::function<void(const std::shared_ptr<Dialler>&, boost::asio::ip::tcp::socket)>;

  /// Failures go to `log`, if there is one. `connector` outlives it.
  Dialler(Shard& shard, const Log* log, const Connector& connector, Connected connected);

  void dial();
  /// The connection that it made has ended. `worked`: after it had been of use.
  void ended(bool worked);
  Shard& shard() const noexcept { return shard_; }

 private:
  void retry();

  static constexpr std::chrono::milliseconds kFirst{20};
  static constexpr std::chrono::milliseconds kLast{2'000};

  Shard& shard_;
  const Log* log_;
  const Connector& connector_;
  Connected connected_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds delay_ = kFirst;
  std::string last_failure_;
};

}  // namespace knetsim::skupper::router
