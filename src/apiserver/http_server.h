#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <memory>

#include "api.h"

namespace knetsim::apiserver {

struct HttpLimits {
  std::size_t connections = 16'384;
  std::uint32_t header = 64 << 10;    ///< bytes
  std::uint64_t body = 3UL << 20;     ///< bytes, as upstream
  std::chrono::seconds idle{180};     ///< between two requests
  std::chrono::seconds transfer{30};  ///< for a request to come in, and for each piece of an answer to be taken
};

/// HTTP/1.1 with keep-alive. One coroutine for each connection, all on the acceptor's executor.
class HttpServer {
 public:
  HttpServer(Api& api, HttpLimits limits) : api_(&api), limits_(limits) {}

  /// For ever.
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::acceptor& acceptor);
  std::size_t connections() const noexcept { return *count_; }

 private:
  Api* api_;
  HttpLimits limits_;
  std::shared_ptr<std::size_t> count_ = std::make_shared<std::size_t>(0);
};

}  // namespace knetsim::apiserver
