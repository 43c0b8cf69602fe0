#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "kubelet_tls.h"

namespace knetsim {

/// A client's request to go on in another protocol.
using Upgrade = boost::beast::http::request<boost::beast::http::string_body>;

/// Bytes in both directions, after an upgrade: within the messages of a WebSocket, or bare. One reads at a time, and
/// one writes.
class UpgradedLink {
 public:
  UpgradedLink() = default;
  UpgradedLink(const UpgradedLink&) = delete;
  UpgradedLink& operator=(const UpgradedLink&) = delete;
  virtual ~UpgradedLink() = default;

  /// Answers the upgrade. False: the client has gone.
  virtual boost::asio::awaitable<bool> accept() = 0;
  /// Some of what the client says, of a WebSocket one message; nullopt: nothing more comes.
  virtual boost::asio::awaitable<std::optional<std::string>> read() = 0;
  virtual boost::asio::awaitable<bool> write(std::string bytes) = 0;
  /// Tells the client that nothing more comes.
  virtual boost::asio::awaitable<void> part() = 0;
  virtual boost::beast::tcp_stream& transport() = 0;
};

/// `protocol` is the subprotocol that is chosen.
std::unique_ptr<UpgradedLink> websocket_link(KubeletStream stream, Upgrade upgrade, std::string protocol,
                                             std::size_t longest_message);
/// SPDY/3.1 itself, with its X-Stream-Protocol-Version.
std::unique_ptr<UpgradedLink> spdy_link(KubeletStream stream, std::string protocol);

/// Of those who want to do something, one after the other.
class Turns {
 public:
  explicit Turns(const boost::asio::any_io_executor& executor)
      : next_(executor, boost::asio::steady_timer::time_point::max()) {}
  boost::asio::awaitable<void> take();
  void give();

 private:
  boost::asio::steady_timer next_;
  bool taken_ = false;
};

}  // namespace knetsim
