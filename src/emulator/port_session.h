#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "kubelet_request.h"
#include "pod_runtime.h"
#include "spdy.h"
#include "upgraded_link.h"

namespace knetsim {

/// One port-forward, in SPDY, bare or in the messages of a WebSocket: for each connection that its client has accepted
/// there is a stream of data and one of errors, and here a connection to the pod's port, from within the pod. Source:
/// k8s.io/kubelet/pkg/cri/streaming/portforward.
class PortSession : public std::enable_shared_from_this<PortSession> {
 public:
  static constexpr std::string_view kProtocol = "portforward.k8s.io";
  static constexpr std::string_view kTunnelled = "SPDY/3.1+portforward.k8s.io";  ///< in a WebSocket
  static constexpr std::size_t kLongestMessage = 1UL << 20;                      ///< bytes

  explicit PortSession(std::unique_ptr<UpgradedLink> link);

  /// Answers the upgrade, and returns when all is over.
  boost::asio::awaitable<void> run(PodContainer pod, PodRuntime& pods);
  /// Ends every connection; run() returns.
  void end();

 private:
  /// What has one requestID.
  struct Connection {
    explicit Connection(const boost::asio::any_io_executor& executor) : socket(executor) {}
    std::uint32_t data = 0;   // stream
    std::uint32_t error = 0;  // stream
    std::string port;
    boost::asio::ip::tcp::socket socket;
    std::string waiting = {};  // for the pod, which takes it at its own pace
    bool writing = false;
    bool last = false;  // nothing more comes
    bool connected = false;
    bool over = false;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  boost::asio::awaitable<void> take(spdy::Frame frame);
  boost::asio::awaitable<void> open(const spdy::Frame& frame);
  boost::asio::awaitable<void> connect(ConnectionPtr connection);
  boost::asio::awaitable<void> pump(ConnectionPtr connection);
  boost::asio::awaitable<void> hand_on(const spdy::Frame& frame);
  boost::asio::awaitable<void> write(ConnectionPtr connection);
  boost::asio::awaitable<void> finish(ConnectionPtr connection, std::string trouble);
  boost::asio::awaitable<bool> send(std::string bytes);

  boost::asio::any_io_executor executor() { return link_->transport().get_executor(); }

  std::unique_ptr<UpgradedLink> link_;
  Turns turns_;
  boost::asio::steady_timer room_;  // is cancelled when something that waited was taken
  bool ended_ = false;
  PodContainer pod_;
  PodRuntime* pods_ = nullptr;
  spdy::Reader reader_;
  spdy::Writer writer_;
  std::map<std::string, ConnectionPtr> connections_;  // by requestID
  std::map<std::uint32_t, ConnectionPtr> by_stream_;  // of data
};

}  // namespace knetsim
