#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "knetsim/skupper/config.h"
#include "router/log.h"
#include "router/shard.h"

namespace knetsim::skupper::router {

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
