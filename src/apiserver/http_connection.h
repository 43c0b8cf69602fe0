#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "http_server.h"
#include "message.h"

namespace knetsim::apiserver {

/// One client's connection. The static functions keep it for as long as they run.
class HttpConnection {
 public:
  HttpConnection(boost::asio::ip::tcp::socket socket, Api& api, HttpLimits limits)
      : stream_(std::move(socket)), api_(&api), limits_(limits) {}

  /// Requests and their answers, until the client goes or is too slow.
  static boost::asio::awaitable<void> run(std::shared_ptr<HttpConnection> self);
  /// 429.
  static boost::asio::awaitable<void> turn_away(std::shared_ptr<HttpConnection> self);

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  boost::asio::awaitable<boost::system::error_code> read(Parser& parser);
  /// Ends the connection so that the client gets the last answer, also if it is still sending.
  boost::asio::awaitable<void> part();
  /// False if the connection can't be used any more.
  boost::asio::awaitable<bool> write(Response response, unsigned version, bool keep_alive, bool head);
  boost::asio::awaitable<bool> write_stream(Response response, unsigned version);
  static boost::asio::awaitable<void> watch_for_end(std::shared_ptr<HttpConnection> self,
                                                    std::weak_ptr<EventStream> events);

  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  Api* api_;
  HttpLimits limits_;
};

}  // namespace knetsim::apiserver
