#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "endpoint.h"

namespace knetsim::etcd {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;

inline constexpr unsigned kOk = 200;  ///< HTTP status

/// A TCP connection to an endpoint, with what was read ahead from it.
struct Connection {
  explicit Connection(const boost::asio::any_io_executor& executor) : stream(executor) {}
  boost::beast::tcp_stream stream;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls;  ///< over `stream`, once it has shaken hands
  boost::beast::flat_buffer buffer;

  /// False if the peer has closed it or has sent something that nobody asked for.
  bool usable();
};

/// Resolves (addresses without any resolver) and connects; with a secure endpoint it shakes hands too, and refuses one
/// whose certificate isn't of its host. A peer that vanishes without a word is noticed by TCP's
/// keep-alive within some ten seconds.
boost::asio::awaitable<boost::system::error_code> connect(Connection& connection, Endpoint endpoint,
                                                          std::chrono::milliseconds timeout,
                                                          boost::asio::ssl::context* tls);

HttpRequest make_request(const Endpoint& endpoint, boost::beast::http::verb verb, const std::string& target,
                         std::string body, const std::string& content_type);

}  // namespace knetsim::etcd
