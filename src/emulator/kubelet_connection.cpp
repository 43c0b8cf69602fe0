#include "kubelet_connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t kLongestHeader = 256 << 10;  // bytes: a command may be long
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::seconds kFarewell{2};
constexpr std::string_view kSpdyField = "X-Stream-Protocol-Version";
constexpr std::string_view kWebSocketField = "Sec-WebSocket-Protocol";

constexpr std::size_t kLongestMessage = 256 << 10;  // bytes; kubectl's are 32 KiB and one

/// The first of those that a client offers, in one field "a, b" or in several, that is known.
std::string chosen(const KubeletConnection::Request& message, std::string_view field,
                   std::initializer_list<std::string_view> known) {
  const auto [first, last] = message.equal_range(field);
  for (auto each = first; each != last; ++each) {
    std::vector<std::string> words;
    boost::algorithm::split(words, std::string(each->value()), boost::algorithm::is_any_of(", "),
                            boost::algorithm::token_compress_on);
    for (auto& word : words)
      if (std::ranges::find(known, word) != known.end()) return std::move(word);
  }
  throw kube::bad_request(fmt::format("none of the protocols that are offered is {}", *known.begin()));
}

bool is_spdy(const KubeletConnection::Request& message) {
  return beast::iequals(message[http::field::upgrade], "SPDY/3.1");
}

}  // namespace

asio::awaitable<void> KubeletConnection::run() {
  http::request_parser<http::string_body> parser;
  parser.header_limit(kLongestHeader);
  parser.body_limit(0);
  error_code error;
  transport().expires_after(kPatience);
  co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return;
  if (const auto refusal = refusal_of(stream_)) co_return co_await refuse(*refusal);
  co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
  if (error == http::error::header_limit)
    co_await refuse(kube::bad_request("the header of the request is too large"));
  else if (error == http::error::body_limit)
    co_await refuse(kube::too_large("a request to this endpoint has no body"));
  else if (!error)
    co_await answer(parser.release());
}

asio::awaitable<void> KubeletConnection::answer(Request message) {
  std::optional<kube::ApiError> refusal;
  KubeletRequest request;
  std::string protocol;
  try {
    if (message.method() != http::verb::get && message.method() != http::verb::post) throw kube::method_not_allowed();
    request = KubeletRequest::parse(message.target());
    request.where.node = node_;
    if (request.deed != KubeletRequest::Deed::log) {
      const bool forward = request.deed == KubeletRequest::Deed::forward;
      if (is_spdy(message))
        protocol = forward ? chosen(message, kSpdyField, {PortSession::kProtocol})
                           : chosen(message, kSpdyField, {stream_frames::kV4, stream_frames::kV5});
      else if (!beast::websocket::is_upgrade(message))
        throw kube::bad_request("Upgrade request required");
      else
        protocol = forward ? chosen(message, kWebSocketField, {PortSession::kTunnelled})
                           : chosen(message, kWebSocketField, {stream_frames::kV5, stream_frames::kV4});
      if (buffer_.size() > 0) throw kube::bad_request("there are bytes before the upgrade is answered");
    }
  } catch (const kube::ApiError& error) {
    refusal = error;
  }
  if (refusal) co_return co_await refuse(*refusal);
  if (request.deed == KubeletRequest::Deed::log) co_return co_await send_log(std::move(request));
  const bool forward = request.deed == KubeletRequest::Deed::forward;
  const bool spdy = is_spdy(message);
  auto link = spdy ? spdy_link(std::move(stream_), std::move(protocol))
                   : websocket_link(std::move(stream_), std::move(message), std::move(protocol),
                                    forward ? PortSession::kLongestMessage : kLongestMessage);
  if (forward) {
    ports_ = std::make_shared<PortSession>(std::move(link));
    co_return co_await ports_->run(std::move(request.where), *pods_);
  }
  session_ = std::make_shared<StreamSession>(spdy ? spdy_wire(std::move(link), request.streams)
                                                  : message_wire(std::move(link)));
  co_await session_->run(std::move(request), *pods_);
}

asio::awaitable<void> KubeletConnection::refuse(const kube::ApiError& error) {
  http::response<http::string_body> response(static_cast<http::status>(error.code()), 11);
  response.set(http::field::content_type, "application/json");
  response.body() = error.status().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  response.keep_alive(false);
  response.prepare_payload();
  error_code ignored;
  transport().expires_after(kPatience);
  co_await http::async_write(stream_, response, asio::redirect_error(asio::use_awaitable, ignored));
  co_await part();
}

asio::awaitable<void> KubeletConnection::part() {
  error_code ignored;
  transport().expires_after(kFarewell);
  co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> KubeletConnection::send_log(KubeletRequest request) {
  using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
  std::optional<kube::ApiError> refusal;
  try {
    log_.emplace(stream_.get_executor(), pods_->log(request.where, request.log.previous), request.log);
  } catch (const InputError& error) {
    refusal = kube::bad_request(error.what());
  } catch (const std::exception& error) {
    refusal = kube::internal_error(error.what());
  }
  if (refusal) co_return co_await refuse(*refusal);
  const auto send = [this]() -> asio::awaitable<void> {
    http::response<http::empty_body> response(http::status::ok, 11);
    response.set(http::field::content_type, "text/plain");
    response.chunked(true);
    response.keep_alive(false);
    http::response_serializer<http::empty_body> serializer(response);
    error_code error;
    transport().expires_never();
    co_await http::async_write_header(stream_, serializer, asio::redirect_error(asio::use_awaitable, error));
    while (!error) {
      const auto piece = co_await log_->next();
      if (piece.empty()) break;
      co_await asio::async_write(stream_, http::make_chunk(asio::buffer(piece)),
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    if (!error)
      co_await asio::async_write(stream_, http::make_chunk_last(), asio::redirect_error(asio::use_awaitable, error));
    co_await part();
    client_.cancel();
  };
  const auto watch = [this]() -> asio::awaitable<void> {
    co_await client_.wait();
    end();
  };
  client_.add(FdView(transport().socket().native_handle()), EPOLLRDHUP);
  co_await (send() && watch());
}

void KubeletConnection::end() {
  if (session_) return session_->end();
  if (ports_) return ports_->end();
  if (log_) log_->stop();
  client_.cancel();
  transport().close();
}

}  // namespace knetsim
