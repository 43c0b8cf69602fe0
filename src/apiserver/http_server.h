#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "api.h"
#include "authentication.h"

namespace knetsim::apiserver {

struct HttpLimits {
  std::size_t connections = 16'384;
  std::uint32_t header = 64 << 10;    ///< bytes
  std::uint64_t body = 3UL << 20;     ///< bytes, as upstream
  std::chrono::seconds idle{180};     ///< between two requests
  std::chrono::seconds transfer{30};  ///< for a request to come in, and for each piece of an answer to be taken
};

/// HTTP/1.1, plain or over TLS, with keep-alive. One coroutine for each connection, all on the acceptor's executor.
class HttpServer {
 public:
  HttpServer(Api& api, const Authentication& authentication, HttpLimits limits)
      : api_(&api), authentication_(&authentication), limits_(limits) {}

  /// For ever. Over TLS if there is a context; then only those are answered whom `authentication` accepts.
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::acceptor& acceptor,
                                     boost::asio::ssl::context* tls = nullptr);
  std::size_t connections() const noexcept { return *count_; }

 private:
  template <typename Stream>
  void start(Stream stream);

  Api* api_;
  const Authentication* authentication_;
  HttpLimits limits_;
  std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

}  // namespace knetsim::apiserver
