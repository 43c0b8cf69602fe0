#include "port_session.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <charconv>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kPortPiece = 32 << 10;            // bytes
constexpr std::size_t kLongestPortMessage = 1UL << 20;  // bytes
constexpr std::size_t kMostWaiting = 4UL << 20;         // bytes of one connection
constexpr std::size_t kMostPortStreams = 2'000;         // at a time: a thousand connections
constexpr std::chrono::seconds kPortHandshake{10};
constexpr std::uint32_t kRefused = 3;

std::optional<std::uint16_t> forwarded_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  return code == std::errc{} && end == text.data() + text.size() && port != 0 ? std::optional(port) : std::nullopt;
}

const std::string& header(const spdy::Headers& headers, const char* name) {
  static const std::string nothing;
  const auto found = headers.find(name);
  return found == headers.end() ? nothing : found->second;
}

}  // namespace

PortSession::PortSession(KubeletStream stream)
    : socket_(std::move(stream)),
      turn_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      room_(socket_.get_executor(), asio::steady_timer::time_point::max()) {}

asio::awaitable<void> PortSession::run(Upgrade upgrade, PodContainer pod, PodRuntime& pods) {
  pod_ = std::move(pod);
  pods_ = &pods;
  beast::get_lowest_layer(socket_).expires_never();
  socket_.set_option(websocket::stream_base::timeout{kPortHandshake, websocket::stream_base::none(), false});
  socket_.set_option(websocket::stream_base::decorator(
      [](auto& response) { response.set(http::field::sec_websocket_protocol, kProtocol); }));
  socket_.read_message_max(kLongestPortMessage);
  socket_.auto_fragment(false);
  socket_.binary(true);
  error_code error;
  co_await socket_.async_accept(upgrade, asio::redirect_error(asio::use_awaitable, error));
  beast::flat_buffer buffer;
  try {
    while (!error && !ended_) {
      co_await socket_.async_read(buffer, asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      reader_.take(beast::buffers_to_string(buffer.data()));
      buffer.consume(buffer.size());
      while (auto frame = reader_.next()) co_await take(*std::move(frame));
    }
  } catch (const InputError&) {
    // What comes after bytes that aren't SPDY can't be understood either.
  }
  end();
}

void PortSession::end() {
  if (std::exchange(ended_, true)) return;
  for (const auto& [id, connection] : connections_) {
    error_code ignored;
    connection->socket.close(ignored);
  }
  connections_.clear();
  by_stream_.clear();
  turn_.cancel();
  room_.cancel();
  beast::get_lowest_layer(socket_).close();
}

asio::awaitable<void> PortSession::take(spdy::Frame frame) {
  if (frame.kind == spdy::Kind::syn_stream) co_await open(frame);
  if (frame.kind == spdy::Kind::data) co_await hand_on(frame);
  if (frame.kind == spdy::Kind::ping) co_await send(spdy::Writer::ping(frame.number));
  if (frame.kind == spdy::Kind::reset) {
    const auto found = by_stream_.find(frame.stream);
    if (found == by_stream_.end()) co_return;
    error_code ignored;
    found->second->socket.close(ignored);
  }
}

asio::awaitable<void> PortSession::open(const spdy::Frame& frame) {
  const auto& type = header(frame.headers, "streamtype");
  const auto& id = header(frame.headers, "requestid");
  const auto& port = header(frame.headers, "port");
  if ((type != "data" && type != "error") || id.empty() || !forwarded_port(port) ||
      connections_.size() >= kMostPortStreams) {
    co_await send(spdy::Writer::reset(frame.stream, kRefused));
    co_return;
  }
  auto& connection = connections_[id];
  if (!connection) connection = std::make_shared<Connection>(socket_.get_executor());
  connection->port = port;
  (type == "data" ? connection->data : connection->error) = frame.stream;
  const auto both = connection;
  co_await send(writer_.syn_reply(frame.stream));
  if (both->data == 0 || both->error == 0 || both->connected) co_return;
  both->connected = true;
  by_stream_[both->data] = both;
  // Awaited here, so that what the client sends on it finds it there.
  co_await connect(both);
}

asio::awaitable<void> PortSession::connect(ConnectionPtr connection) {
  std::string trouble;
  error_code error;
  try {
    auto fd = pods_->socket_in(pod_);
    connection->socket.assign(tcp::v4(), fd.release());
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), *forwarded_port(connection->port));
    co_await connection->socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    if (error)
      trouble = fmt::format("failed to connect to localhost:{} inside the pod: {}", connection->port, error.message());
  } catch (const Error& reason) {
    trouble = reason.what();
  }
  if (!trouble.empty()) {
    co_await finish(connection,
                    fmt::format("error forwarding port {} to pod {}: {}", connection->port, pod_.pod, trouble));
    co_return;
  }
  connection->socket.set_option(tcp::no_delay(true), error);
  asio::co_spawn(socket_.get_executor(), pump(connection),
                 [self = shared_from_this()](const std::exception_ptr& failure) {
                   if (failure) self->end();
                 });
}

asio::awaitable<void> PortSession::pump(ConnectionPtr connection) {
  std::array<char, kPortPiece> piece{};
  error_code error;
  for (;;) {
    const auto count = co_await connection->socket.async_read_some(asio::buffer(piece),
                                                                   asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    if (!co_await send(spdy::Writer::data(connection->data, {piece.data(), count}))) break;
  }
  co_await finish(connection, {});
}

/// Its client hears why, and that nothing more comes.
asio::awaitable<void> PortSession::finish(ConnectionPtr connection, std::string trouble) {
  if (std::exchange(connection->over, true)) co_return;
  room_.cancel();
  if (!trouble.empty()) co_await send(spdy::Writer::data(connection->error, trouble));
  co_await send(spdy::Writer::data(connection->data, {}, true));
  co_await send(spdy::Writer::data(connection->error, {}, true));
  error_code ignored;
  connection->socket.close(ignored);
  by_stream_.erase(connection->data);
  for (auto one = connections_.begin(); one != connections_.end(); ++one)
    if (one->second == connection) {
      connections_.erase(one);
      break;
    }
}

// One pod's program that takes nothing doesn't stop the others, until much waits for it.
asio::awaitable<void> PortSession::hand_on(const spdy::Frame& frame) {
  const auto found = by_stream_.find(frame.stream);
  if (found == by_stream_.end()) co_return;  // its error stream's end, or it is over
  const auto connection = found->second;
  connection->waiting += frame.data;
  connection->last = connection->last || frame.last;
  if (!std::exchange(connection->writing, true))
    asio::co_spawn(socket_.get_executor(), write(connection),
                   [self = shared_from_this()](const std::exception_ptr& failure) {
                     if (failure) self->end();
                   });
  error_code ignored;
  while (connection->waiting.size() > kMostWaiting && !connection->over && !ended_)
    co_await room_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

asio::awaitable<void> PortSession::write(ConnectionPtr connection) {
  error_code error;
  while (!connection->waiting.empty() && !error) {
    const auto piece = std::exchange(connection->waiting, {});
    room_.cancel();
    co_await asio::async_write(connection->socket, asio::buffer(piece),
                               asio::redirect_error(asio::use_awaitable, error));
  }
  connection->writing = false;
  if (connection->last && !error) connection->socket.shutdown(tcp::socket::shutdown_send, error);
}

asio::awaitable<bool> PortSession::send(std::string bytes) {
  error_code error;
  while (sending_ && !ended_) co_await turn_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  if (ended_) co_return false;
  sending_ = true;
  error.clear();
  co_await socket_.async_write(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  sending_ = false;
  turn_.cancel_one();
  co_return !error && !ended_;
}

}  // namespace knetsim
