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
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "knetsim/etcd/client.h"

namespace knetsim::etcd {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;

inline constexpr unsigned kOk = 200;  ///< HTTP status

/// Where a member serves its clients.
struct Endpoint {
  std::string host;  ///< an address without brackets, or a name
  std::string port;
  bool secure = false;            ///< https
  std::string authority() const;  ///< "10.0.0.1:2379", "[fd00::1]:2379"
  std::string url() const { return (secure ? "https://" : "http://") + authority(); }
};

/// Parses "http[s]://host[:port][/]", "host[:port]" too; throws InputError naming the text.
Endpoint parse_endpoint(std::string_view text);

/// A TCP connection to an endpoint, with what was read ahead from it.
struct Connection {
  explicit Connection(const boost::asio::any_io_executor& executor) : stream(executor) {}
  boost::beast::tcp_stream stream;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls;  ///< over `stream`, once it has shaken hands
  boost::beast::flat_buffer buffer;

  /// What `use` makes of the stream that is read and written: TLS once it has shaken hands, else TCP itself.
  template <typename Use>
  auto over(Use use) {
    return tls ? use(*tls) : use(stream);
  }
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

/// What connections to https endpoints are made with; null if there are none. Throws InputError naming the file that
/// can't be used. Boost's own code of it is compiled in asio_ssl.cpp.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const ClientOptions& options);

}  // namespace knetsim::etcd
