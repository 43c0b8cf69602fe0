#include "router/tcp_endpoint.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <cerrno>

#include "knetsim/sys/error.h"
#include "router/sockets.h"

namespace knetsim::skupper::router {

using boost::asio::ip::tcp;

TcpEndpoint::TcpEndpoint(Shard& shard, tcp::socket socket, Closed closed)
    : shard_(shard), socket_(std::move(socket)), closed_(std::move(closed)), state_(State::open) {
  make_prompt(socket_);
}

TcpEndpoint::TcpEndpoint(Shard& shard, Closed closed)
    : shard_(shard), socket_(shard.context()), closed_(std::move(closed)), state_(State::connecting) {}

TcpEndpoint::~TcpEndpoint() = default;

void TcpEndpoint::connect(const std::string& host, std::uint16_t port, std::function<void(const std::string&)> done) {
  shard_.keep(shared_from_this());
  auto connected = [self = shared_from_this(), done](const boost::system::error_code& error, const tcp::endpoint&) {
    if (self->state_ == State::closed) return;
    if (error) {
      self->close();
      return done(error.message());
    }
    make_prompt(self->socket_);
    self->state_ = State::open;
    done({});
    self->flush();
  };
  boost::system::error_code not_literal;
  const auto address = boost::asio::ip::make_address(host, not_literal);
  if (!not_literal) {
    const tcp::endpoint endpoint(address, port);
    socket_.async_connect(endpoint, [connected, endpoint](const auto& error) { connected(error, endpoint); });
    return;
  }
  auto resolver = std::make_shared<tcp::resolver>(shard_.context());
  resolver->async_resolve(host, std::to_string(port),
                          [this, self = shared_from_this(), resolver, connected](const auto& error, const auto& found) {
                            if (error) return connected(error, {});
                            boost::asio::async_connect(socket_, found, connected);
                          });
}

void TcpEndpoint::adopt() { shard_.keep(shared_from_this()); }

void TcpEndpoint::start_reading() {
  if (state_ != State::open || reading_ != Reading::not_yet) return;
  wait_readable();
}

void TcpEndpoint::wait_readable() {
  reading_ = Reading::waiting;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->read();
  });
}

void TcpEndpoint::wait_writable() {
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->flush();
  });
}

void TcpEndpoint::read() {
  if (state_ != State::open) return;
  const auto in_flight = sent_ - acknowledged_;
  if (in_flight >= kWindow) {
    reading_ = Reading::paused;
    return;
  }
  const auto buffer = shard_.input().first(std::min<std::size_t>(shard_.input().size(), kWindow - in_flight));
  const auto count = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) {
    sent_ += static_cast<std::size_t>(count);
    outlet_.write({buffer.data(), static_cast<std::size_t>(count)});
    if (state_ == State::open) wait_readable();
  } else if (count == 0) {
    reading_ = Reading::ended;
    outlet_.finish(write_closed_);
    end_if_done();
  } else if (errno == EAGAIN || errno == EINTR) {
    wait_readable();
  } else {
    fail();
  }
}

void TcpEndpoint::acknowledged(std::uint64_t bytes) {
  acknowledged_ = std::clamp(bytes, acknowledged_, sent_);
  if (reading_ == Reading::paused && state_ == State::open && sent_ - acknowledged_ < kWindow) wait_readable();
}

std::size_t TcpEndpoint::send(std::string_view bytes) {
  const auto count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno != EAGAIN && errno != EINTR) fail();
  return 0;
}

void TcpEndpoint::write(std::string_view bytes) {
  if (state_ == State::closed) return;
  if (state_ == State::connecting || !unwritten_.empty()) {
    unwritten_.append(bytes);
    return;
  }
  const auto count = send(bytes);
  if (state_ == State::closed) return;
  if (count < bytes.size()) {
    unwritten_.assign(bytes.substr(count));
    wait_writable();
  }
  count_written(count);
}

void TcpEndpoint::flush() {
  if (state_ != State::open) return;
  if (!unwritten_.empty()) {
    const auto count = send(std::string_view(unwritten_).substr(unwritten_from_));
    if (state_ == State::closed) return;
    unwritten_from_ += count;
    if (unwritten_from_ < unwritten_.size()) {
      if (unwritten_from_ >= kAcknowledgeEvery) {
        unwritten_.erase(0, unwritten_from_);
        unwritten_from_ = 0;
      }
      wait_writable();
    } else {
      unwritten_ = {};
      unwritten_from_ = 0;
    }
    count_written(count);
  }
  if (finishing_ && unwritten_.empty() && state_ == State::open) close_for_writing();
}

void TcpEndpoint::count_written(std::size_t bytes) {
  written_ += bytes;
  if (written_ - reported_ < kAcknowledgeEvery) return;
  reported_ = written_;
  inlet_.acknowledged(written_);
}

void TcpEndpoint::finish(bool) {
  finishing_ = true;
  if (state_ == State::open && unwritten_.empty()) close_for_writing();
}

void TcpEndpoint::close_for_writing() {
  if (std::exchange(write_closed_, true)) return;
  ::shutdown(socket_.native_handle(), SHUT_WR);
  inlet_.completed();
  end_if_done();
}

void TcpEndpoint::end_if_done() {
  if (write_closed_ && reading_ == Reading::ended) close();
}

/// Closed before the others hear of it: where both ends of a flow are this router's, they tell each other.
void TcpEndpoint::fail() {
  if (state_ == State::closed) return;
  const auto self = shared_from_this();
  const auto outlet = reading_ == Reading::ended ? OutletRef() : std::exchange(outlet_, {});
  const auto inlet = write_closed_ ? InletRef() : std::exchange(inlet_, {});
  reset(socket_);
  close();
  outlet.abort();
  inlet.refused();
}

void TcpEndpoint::abort() { fail(); }

void TcpEndpoint::refused() {
  if (reading_ != Reading::not_yet || state_ != State::open) return fail();
  // Nobody has answered yet: to the client it looks like a service that closes at once.
  const auto self = shared_from_this();
  const auto outlet = std::exchange(outlet_, {});
  close();
  outlet.finish(true);
}

void TcpEndpoint::close() {
  if (std::exchange(state_, State::closed) == State::closed) return;
  const auto self = shared_from_this();
  boost::system::error_code ignored;
  socket_.close(ignored);
  outlet_ = {};
  inlet_ = {};
  unwritten_ = {};
  shard_.release(this);
  if (closed_) std::exchange(closed_, nullptr)();
}

}  // namespace knetsim::skupper::router
