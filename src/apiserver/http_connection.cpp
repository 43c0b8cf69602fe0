#include "http_connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/algorithm/string/predicate.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "event_stream.h"
#include "relay.h"

namespace knetsim::apiserver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kLastWords{2};
constexpr std::size_t kKeptBuffer = 16 << 10;  // bytes that an idle connection may hold

Request request_of(http::request<http::string_body>& message) {
  Request request;
  request.method = message.method_string();
  const std::string_view target(message.target().data(), message.target().size());
  const auto mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, mark);
  request.query = Query(target.substr(std::min(mark + 1, target.size())));
  request.accept = message[http::field::accept];
  request.content_type = message[http::field::content_type];
  request.if_none_match = message[http::field::if_none_match];
  request.user_agent = message[http::field::user_agent];
  request.authorization = message[http::field::authorization];
  const bool websocket = beast::websocket::is_upgrade(message);
  request.upgrade = websocket ? "websocket" : std::string(message[http::field::upgrade]);
  if (!request.upgrade.empty())
    for (const auto& field : message)
      if (boost::algorithm::istarts_with(field.name_string(),
                                         websocket ? "Sec-WebSocket-" : "X-Stream-Protocol-Version"))
        request.upgrade_fields.emplace_back(field.name_string(), field.value());
  request.body = std::move(message.body());
  return request;
}

template <typename Message>
void set_head(Message& message, const Response& response) {
  message.set(http::field::content_type, response.content_type);
  message.set(http::field::cache_control, "no-cache, private");
  for (const auto& [name, value] : response.headers) message.insert(name, value);
}

/// What is answered to a request that can't be read; nullopt: nothing, the client has gone.
std::optional<Response> complaint(const error_code& error) {
  if (error == http::error::body_limit) return Api::refused(413, "Request entity too large: limit is 3145728");
  if (error == http::error::header_limit) return Api::refused(400, "the header of the request is too large");
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return Api::refused(400, "that isn't HTTP: " + error.message());
  return std::nullopt;
}

}  // namespace

template <typename Stream>
asio::awaitable<error_code> HttpConnection<Stream>::read(Parser& parser) {
  error_code error;
  parser.header_limit(limits_.header);
  parser.body_limit(limits_.body);
  transport().expires_after(limits_.idle);
  // The first byte may be long in coming, the others not.
  if (buffer_.size() == 0) {
    constexpr std::size_t kFirst = 4'096;
    const auto count =
        co_await stream_.async_read_some(buffer_.prepare(kFirst), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error == asio::error::eof ? make_error_code(http::error::end_of_stream) : error;
    buffer_.commit(count);
  }
  transport().expires_after(limits_.transfer);
  co_await http::async_read_header(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return error;
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    http::response<http::empty_body> go_on(http::status::continue_, parser.get().version());
    co_await http::async_write(stream_, go_on, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return error;
  }
  co_await http::async_read(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
  co_return error;
}

template <typename Stream>
asio::awaitable<bool> HttpConnection<Stream>::write(Response response, unsigned version, bool keep_alive, bool head) {
  http::response<http::string_body> message(http::status::ok, version);
  message.result(response.status);
  set_head(message, response);
  message.body() = std::move(response.body);
  message.keep_alive(keep_alive);
  message.prepare_payload();
  if (response.status == static_cast<unsigned>(http::status::not_modified)) message.erase(http::field::content_type);
  if (head) message.body().clear();
  error_code error;
  http::response_serializer<http::string_body> serializer(message);
  // Each piece has its time: a client that takes a long list slowly is none that takes nothing.
  while (!serializer.is_done() && !error) {
    transport().expires_after(limits_.transfer);
    co_await http::async_write_some(stream_, serializer, asio::redirect_error(asio::use_awaitable, error));
  }
  co_return !error && message.keep_alive();
}

template <typename Stream>
asio::awaitable<bool> HttpConnection<Stream>::client_goes() {
  error_code error;
  char byte = 0;
  if constexpr (kSecure) {
    // Only who reads hears of its end; the connection isn't used any more after the stream.
    co_await stream_.async_read_some(asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return false;
    co_return error.failed();
  } else {
    co_await stream_.socket().async_wait(asio::socket_base::wait_read,
                                         asio::redirect_error(asio::use_awaitable, error));
    co_return !error && ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
  }
}

template <typename Stream>
void HttpConnection<Stream>::watch_for_end(const std::shared_ptr<EventStream>& events) {
  asio::co_spawn(
      stream_.get_executor(), client_goes(),
      [self = this->shared_from_this(), watched = std::weak_ptr(events)](const std::exception_ptr&, bool gone) {
        if (const auto stream = watched.lock(); stream && gone) stream->end();
      });
}

template <typename Stream>
asio::awaitable<bool> HttpConnection<Stream>::write_stream(Response response, unsigned version) {
  http::response<http::empty_body> message(http::status::ok, version);
  message.result(response.status);
  set_head(message, response);
  message.chunked(true);
  if (kSecure) message.keep_alive(false);
  error_code error;
  http::response_serializer<http::empty_body> serializer(message);
  transport().expires_after(limits_.transfer);
  co_await http::async_write_header(stream_, serializer, asio::redirect_error(asio::use_awaitable, error));
  transport().expires_never();
  while (!error) {
    const auto piece = co_await response.stream->next();
    if (piece.empty()) break;
    transport().expires_after(limits_.transfer);
    co_await asio::async_write(stream_, http::make_chunk(asio::buffer(piece)),
                               asio::redirect_error(asio::use_awaitable, error));
    transport().expires_never();
  }
  if (error) co_return false;
  transport().expires_after(limits_.transfer);
  co_await asio::async_write(stream_, http::make_chunk_last(), asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

template <typename Stream>
asio::awaitable<bool> HttpConnection<Stream>::shake_hands() {
  if constexpr (kSecure) {
    error_code error;
    transport().expires_after(limits_.transfer);
    co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, error));
    certified_ = !error && certificate_of(stream_) == Shown::good;
    co_return !error;
  }
  co_return true;
}

template <typename Stream>
bool HttpConnection<Stream>::may_ask(const Request& request) const {
  return !kSecure || certified_ || authentication_->accepts(request.authorization) || is_public(request.path);
}

template <typename Stream>
asio::awaitable<void> HttpConnection<Stream>::run() {
  const bool known = co_await shake_hands();
  if (!known) co_return;
  co_await go_on();
  co_await part();
}

template <typename Stream>
asio::awaitable<void> HttpConnection<Stream>::go_on() {
  for (bool usable = true; usable;) {
    Parser parser;
    if (const auto error = co_await read(parser)) {
      if (auto refusal = complaint(error)) co_await write(*std::move(refusal), 11, false, false);
      co_return;
    }
    auto message = parser.release();
    const bool keep_alive = message.keep_alive();
    const bool head = message.method() == http::verb::head;
    const auto version = message.version();
    transport().expires_never();
    const auto request = request_of(message);
    auto response = Api::refused(401, "Unauthorized");
    if (may_ask(request)) response = co_await api_->answer(request);
    if (response.relay) {
      const auto already = buffer_.cdata();
      response.relay->request.append(static_cast<const char*>(already.data()), already.size());
      co_return co_await relay(stream_, *response.relay);
    }
    if (response.stream && !head) {
      watch_for_end(response.stream);
      usable = co_await write_stream(std::move(response), version);
      // The wait for the client's end is still on.
      error_code ignored;
      transport().socket().cancel(ignored);
      usable = usable && keep_alive && !kSecure;
    } else {
      usable = co_await write(std::move(response), version, keep_alive, head);
    }
    if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
  }
}

template <typename Stream>
asio::awaitable<void> HttpConnection<Stream>::turn_away() {
  const bool known = co_await shake_hands();
  if (!known) co_return;
  co_await write(Api::refused(429, "Too many connections, please try again later."), 11, false, false);
  co_await part();
}

template <typename Stream>
asio::awaitable<void> HttpConnection<Stream>::part() {
  error_code error;
  transport().expires_after(kLastWords);
  if constexpr (kSecure) co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  transport().socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  // A socket that is closed with bytes unread resets the connection, and with it what the client hasn't read.
  transport().expires_after(kLastWords);
  std::array<char, 4'096> dropped{};
  while (!error)
    co_await transport().async_read_some(asio::buffer(dropped), asio::redirect_error(asio::use_awaitable, error));
}

template class HttpConnection<PlainStream>;
template class HttpConnection<TlsStream>;

}  // namespace knetsim::apiserver
