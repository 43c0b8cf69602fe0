#include "port_session.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kPortPiece = 32 << 10;     // bytes
constexpr std::size_t kMostWaiting = 4UL << 20;  // bytes of one connection
constexpr std::size_t kMostPortStreams = 2'000;  // at a time: a thousand connections
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

PortSession::PortSession(std::unique_ptr<UpgradedLink> link)
    : link_(std::move(link)), turns_(executor()), room_(executor(), asio::steady_timer::time_point::max()) {}

asio::awaitable<void> PortSession::run(PodContainer pod, PodRuntime& pods) {
  pod_ = std::move(pod);
  pods_ = &pods;
  const bool accepted = co_await link_->accept();
  try {
    while (accepted && !ended_) {
      const auto bytes = co_await link_->read();
      if (!bytes) break;
      reader_.take(*bytes);
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
  room_.cancel();
  link_->transport().close();
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
  if (!connection) connection = std::make_shared<Connection>(executor());
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
  asio::co_spawn(executor(), pump(connection), [self = shared_from_this()](const std::exception_ptr& failure) {
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
    asio::co_spawn(executor(), write(connection), [self = shared_from_this()](const std::exception_ptr& failure) {
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
  co_await turns_.take();
  bool sent = false;
  if (!ended_) sent = co_await link_->write(std::move(bytes));
  turns_.give();
  co_return sent && !ended_;
}

}  // namespace knetsim
