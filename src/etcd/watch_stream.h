#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "connection.h"

namespace knetsim::etcd {

/// One POST whose answer doesn't end: lines of JSON in chunks (RFC 9112 section 7.1) cut anywhere.
class WatchStream {
 public:
  WatchStream(const boost::asio::any_io_executor& executor, Endpoint endpoint)
      : endpoint_(std::move(endpoint)), connection_(executor) {}

  /// Connects, asks and reads the answer's header, each within its limit; `token` is that of a
  /// user who has logged in, or empty. nullopt: streaming. Else why not.
  boost::asio::awaitable<std::optional<std::string>> open(std::string target, std::string body,
                                                          std::chrono::milliseconds connect_timeout,
                                                          std::chrono::milliseconds request_timeout,
                                                          boost::asio::ssl::context* tls, std::string token);
  /// The HTTP status of the answer; 0 if there was none.
  unsigned status() const noexcept { return status_; }

  /// Reads what is there, at least one byte. nullopt: it may hold lines now. Else why the stream is over.
  /// interrupt() makes it return early, as if it had read nothing.
  boost::asio::awaitable<std::optional<std::string>> read();
  /// The next whole line, if there is one.
  std::optional<std::string> take_line();

  void interrupt();
  void close();
  const Endpoint& endpoint() const noexcept { return endpoint_; }

 private:
  Endpoint endpoint_;
  Connection connection_;
  boost::beast::http::response_parser<boost::beast::http::buffer_body> parser_;
  std::array<char, 4096> piece_{};
  std::string lines_;
  std::size_t searched_ = 0;  // no line ends before this
  unsigned status_ = 0;
};

}  // namespace knetsim::etcd
