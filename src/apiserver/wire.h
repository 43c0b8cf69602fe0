#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "knetsim/apiserver/access.h"

namespace knetsim::apiserver {

/// One connection at a time to a server, over TLS where that is how it is reached. What fails throws
/// boost::system::system_error.
class Wire {
 public:
  Wire(boost::asio::io_context& context, Access access)
      : context_(&context), access_(std::move(access)), plain_(context) {}

  const Access& access() const noexcept { return access_; }
  bool is_open() { return lowest().socket().is_open(); }
  /// For what comes next.
  void expires_after(std::chrono::steady_clock::duration time) { lowest().expires_after(time); }
  /// What is under way fails.
  void close() { lowest().close(); }

  /// Only when nothing is under way.
  boost::asio::awaitable<void> connect(std::chrono::steady_clock::duration within) {
    if (access_.tls) secured_.emplace(*context_, *access_.tls);  // one that was used can't be used again
    expires_after(within);
    co_await lowest().async_connect(access_.server, boost::asio::use_awaitable);
    if (secured_) co_await secured_->async_handshake(boost::asio::ssl::stream_base::client, boost::asio::use_awaitable);
  }

  /// `use` takes the stream, plain or secured, and returns what is to be awaited.
  template <typename Use>
  auto with(Use use) {
    return secured_ ? use(*secured_) : use(plain_);
  }

 private:
  boost::beast::tcp_stream& lowest() { return secured_ ? boost::beast::get_lowest_layer(*secured_) : plain_; }

  boost::asio::io_context* context_;
  Access access_;
  boost::beast::tcp_stream plain_;
  std::optional<boost::beast::ssl_stream<boost::beast::tcp_stream>> secured_;
};

}  // namespace knetsim::apiserver
