#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <type_traits>

#include "http_server.h"
#include "message.h"
#include "tls.h"

namespace knetsim::apiserver {

/// One client's connection, plain or over TLS. Whoever starts run() or turn_away() keeps it until that is over.
template <typename Stream>
class HttpConnection : public std::enable_shared_from_this<HttpConnection<Stream>> {
 public:
  HttpConnection(Stream stream, Api& api, const Authentication& authentication, HttpLimits limits)
      : stream_(std::move(stream)), api_(&api), authentication_(&authentication), limits_(limits) {}

  /// Requests and their answers, until the client goes or is too slow.
  boost::asio::awaitable<void> run();
  /// 429.
  boost::asio::awaitable<void> turn_away();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  static constexpr bool kSecure = std::is_same_v<Stream, TlsStream>;
  auto& transport() { return boost::beast::get_lowest_layer(stream_); }

  /// False if the client doesn't agree on TLS in time.
  boost::asio::awaitable<bool> shake_hands();
  boost::asio::awaitable<void> go_on();
  bool may_ask(const Request& request) const;
  boost::asio::awaitable<boost::system::error_code> read(Parser& parser);
  /// Ends the connection so that the client gets the last answer, also if it is still sending.
  boost::asio::awaitable<void> part();
  /// False if the connection can't be used any more.
  boost::asio::awaitable<bool> write(Response response, unsigned version, bool keep_alive, bool head);
  boost::asio::awaitable<bool> write_stream(Response response, unsigned version);
  /// Ends the stream when the client goes.
  void watch_for_end(const std::shared_ptr<EventStream>& events);
  boost::asio::awaitable<bool> client_goes();

  Stream stream_;
  boost::beast::flat_buffer buffer_;
  bool certified_ = false;  ///< the client has shown a certificate that is good
  Api* api_;
  const Authentication* authentication_;
  HttpLimits limits_;
};

}  // namespace knetsim::apiserver
