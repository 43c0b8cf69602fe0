#include "watch_stream.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/none.hpp>
#include <utility>

namespace knetsim::etcd {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// As much as an answer: transport.cpp.
constexpr std::size_t kMaxLine = 32U << 20;

}  // namespace

asio::awaitable<std::optional<std::string>> WatchStream::open(std::string target, std::string body,
                                                              std::chrono::milliseconds connect_timeout,
                                                              std::chrono::milliseconds request_timeout,
                                                              asio::ssl::context* tls, std::string token) {
  parser_.body_limit(boost::none);
  boost::system::error_code error = co_await connect(connection_, endpoint_, connect_timeout, tls);
  if (error) {
    const bool late = error == beast::error::timeout;
    co_return late ? "no connection within " + std::to_string(connect_timeout.count()) + " ms" : error.message();
  }
  HttpRequest request = make_request(endpoint_, http::verb::post, target, std::move(body), "application/json");
  // The gateway hands it to gRPC as metadata "hasleader": a member that loses its leader ends the stream
  // (clientv3's WithRequireLeader).
  request.set("Grpc-Metadata-hasleader", "true");
  if (!token.empty()) request.set(http::field::authorization, token);
  connection_.stream.expires_after(request_timeout);
  auto told = asio::redirect_error(asio::use_awaitable, error);
  co_await connection_.over([&](auto& stream) { return http::async_write(stream, request, told); });
  if (!error)
    co_await connection_.over(
        [&](auto& stream) { return http::async_read_header(stream, connection_.buffer, parser_, told); });
  connection_.stream.expires_never();
  if (error) {
    const bool late = error == beast::error::timeout;
    co_return late ? "no answer within " + std::to_string(request_timeout.count()) + " ms" : error.message();
  }
  status_ = parser_.get().result_int();
  if (status_ == kOk) co_return std::nullopt;

  // An error answer is short, and ends.
  connection_.stream.expires_after(request_timeout);
  std::optional<std::string> end;
  while (!end && lines_.size() < piece_.size()) end = co_await read();
  std::string text = "HTTP " + std::to_string(status_) + ": " + lines_;
  co_return text;
}

asio::awaitable<std::optional<std::string>> WatchStream::read() {
  if (parser_.is_done()) co_return "the server ended the stream";
  auto& body = parser_.get().body();
  body.data = piece_.data();
  body.size = piece_.size();
  body.more = true;
  boost::system::error_code error;
  auto told = asio::redirect_error(asio::use_awaitable, error);
  co_await connection_.over(
      [&](auto& stream) { return http::async_read_some(stream, connection_.buffer, parser_, told); });
  lines_.append(piece_.data(), piece_.size() - body.size);
  if (!error || error == http::error::need_buffer || error == asio::error::operation_aborted) {
    if (lines_.size() > kMaxLine) co_return "a line of the stream has no end";
    co_return std::nullopt;
  }
  const bool ended = error == http::error::end_of_stream || error == http::error::partial_message;
  co_return ended ? "the connection was closed" : error.message();
}

std::optional<std::string> WatchStream::take_line() {
  const std::size_t end = lines_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = lines_.size();
    return std::nullopt;
  }
  std::string line = lines_.substr(0, end);
  lines_.erase(0, end + 1);
  searched_ = 0;
  if (lines_.empty()) lines_.shrink_to_fit();
  return line;
}

void WatchStream::interrupt() { connection_.stream.cancel(); }

void WatchStream::close() { connection_.stream.close(); }

}  // namespace knetsim::etcd
