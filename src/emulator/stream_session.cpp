#include "stream_session.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <cerrno>

#include "knetsim/kube/status.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

namespace knetsim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using stream_frames::Channel;

namespace {

constexpr std::size_t kStreamPiece = 32 << 10;      // bytes that are told at once
constexpr std::size_t kLongestMessage = 256 << 10;  // kubectl's are 32 KiB and one byte
constexpr std::size_t kLastWords = 1UL << 20;       // bytes of what others go on writing after the program's end
constexpr std::chrono::seconds kHandshake{10};
constexpr char kEndOfInput = '\x04';  // Ctrl-D

std::string last_words(const std::exception& reason) {
  return kube::internal_error(reason.what()).status().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void close(asio::posix::stream_descriptor& descriptor) {
  error_code ignored;
  descriptor.close(ignored);
}

}  // namespace

StreamSession::StreamSession(KubeletStream stream)
    : socket_(std::move(stream)),
      turn_(socket_.get_executor(), asio::steady_timer::time_point::max()),
      client_(socket_.get_executor()),
      process_(socket_.get_executor()),
      in_(socket_.get_executor()),
      out_(socket_.get_executor()),
      err_(socket_.get_executor()) {}

asio::awaitable<void> StreamSession::run(Upgrade upgrade, std::string protocol, KubeletRequest request,
                                         PodRuntime& pods) {
  beast::get_lowest_layer(socket_).expires_never();
  socket_.set_option(websocket::stream_base::timeout{kHandshake, websocket::stream_base::none(), false});
  socket_.set_option(websocket::stream_base::decorator([protocol = std::move(protocol)](auto& response) {
    response.set(http::field::sec_websocket_protocol, protocol);
  }));
  socket_.read_message_max(kLongestMessage);
  socket_.auto_fragment(false);
  socket_.binary(true);
  error_code error;
  co_await socket_.async_accept(upgrade, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return;
  std::string status;
  try {
    // Not with a "?": GCC 12 runs both sides of one that awaits.
    if (request.deed == KubeletRequest::Deed::exec)
      status = co_await exec(std::move(request), pods);
    else
      status = co_await attach(request, pods);
  } catch (const std::exception& reason) {
    // Told here and not before the upgrade: a client whose upgrade is refused tries the old protocol, and shows what is
    // said to that.
    status = last_words(reason);
    listen_to_client();
  }
  if (!ended_) co_await say_and_close(status);
  end();
}

asio::awaitable<std::string> StreamSession::exec(KubeletRequest request, PodRuntime& pods) {
  using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace)
  program_.emplace(pods.start(request.where, std::move(request.command), request.streams));
  terminal_ = request.streams.terminal;
  for (auto [fd, descriptor] : {std::pair(&program_->in, &in_), {&program_->out, &out_}, {&program_->err, &err_}})
    if (*fd) descriptor->assign(fd->release());
  process_.add(program_->child.pidfd(), EPOLLIN);
  if (program_->container) process_.add(program_->container, EPOLLIN);
  listen_to_client();
  co_await (pump(out_, Channel::out) && pump(err_, Channel::err) && wait_for_end());
  if (ended_) co_return std::string();
  co_return stream_frames::status_of(*program_->child.status());
}

asio::awaitable<std::string> StreamSession::attach(const KubeletRequest& request, PodRuntime& pods) {
  auto attachment = pods.attach(request.where);
  terminal_ = attachment.terminal;
  if (request.streams.in && attachment.in) in_.assign(attachment.in.release());
  log_.emplace(LogReader::from_now_on(socket_.get_executor(), std::move(attachment.log)));
  listen_to_client();
  const bool told = request.streams.out || request.streams.err;
  for (;;) {
    const auto piece = co_await log_->next();
    if (piece.empty()) break;
    if (told && !co_await send(static_cast<char>(Channel::out) + piece)) break;
  }
  co_return R"({"metadata":{},"status":"Success"})";
}

void StreamSession::listen_to_client() {
  if (std::exchange(listening_, true)) return;
  client_.add(FdView(beast::get_lowest_layer(socket_).socket().native_handle()), EPOLLRDHUP);
  const auto self = shared_from_this();
  const auto keep = [self](const std::exception_ptr& failure) {
    if (failure) self->end();
  };
  asio::co_spawn(socket_.get_executor(), read_client(), keep);
  asio::co_spawn(socket_.get_executor(), watch_client(), keep);
}

asio::awaitable<void> StreamSession::watch_client() {
  // It may have gone while nothing is read of it, as the program doesn't take what it has sent already.
  co_await client_.wait();
  end();
}

asio::awaitable<void> StreamSession::read_client() {
  beast::flat_buffer buffer(kLongestMessage);
  error_code error;
  for (;;) {
    co_await socket_.async_read(buffer, asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    const auto bytes = buffer.cdata();
    const auto message = stream_frames::read({static_cast<const char*>(bytes.data()), bytes.size()});
    switch (message.kind) {
      case stream_frames::Message::Kind::input:
        co_await type(message.data);
        break;
      case stream_frames::Message::Kind::end_of_input:
        if (terminal_)
          co_await type({&kEndOfInput, 1});
        else
          close_input();
        break;
      case stream_frames::Message::Kind::resize:
        if (terminal_ && (out_.is_open() || in_.is_open()))
          set_window(FdView(out_.is_open() ? out_.native_handle() : in_.native_handle()), message.window.rows,
                     message.window.columns);
        break;
      case stream_frames::Message::Kind::nothing:
        break;
    }
    buffer.consume(buffer.size());
  }
  end();
}

asio::awaitable<void> StreamSession::type(std::string_view input) {
  while (!input.empty() && in_.is_open()) {
    const auto count = ::write(in_.native_handle(), input.data(), input.size());
    if (count >= 0) {
      input.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      error_code ignored;
      co_await in_.async_wait(Descriptor::wait_write, asio::redirect_error(asio::use_awaitable, ignored));
    } else if (errno != EINTR) {
      close_input();  // the program has closed its own; that is its right
    }
  }
}

void StreamSession::close_input() { close(in_); }

asio::awaitable<void> StreamSession::pump(Descriptor& from, Channel channel) {
  std::string message(1 + kStreamPiece, static_cast<char>(channel));
  for (std::size_t after_the_end = 0; from.is_open() && after_the_end < kLastWords;) {
    const auto count = ::read(from.native_handle(), message.data() + 1, kStreamPiece);
    if (count > 0) {
      if (over_) after_the_end += static_cast<std::size_t>(count);
      if (!co_await send({message.data(), 1 + static_cast<std::size_t>(count)})) break;
    } else if (count < 0 && errno == EAGAIN) {
      // What a program wrote is there when it has ended. Others that hold the pipe aren't waited for.
      if (over_) break;
      error_code ignored;
      co_await from.async_wait(Descriptor::wait_read, asio::redirect_error(asio::use_awaitable, ignored));
    } else if (count == 0 || errno != EINTR) {
      break;  // its end; Linux answers EIO for a terminal
    }
  }
}

asio::awaitable<void> StreamSession::wait_for_end() {
  while (!ended_ && !program_->child.status()) {
    if (program_->container && happened(program_->container))
      program_->child.kill();
    else
      co_await process_.wait();
  }
  over_ = true;
  close_input();
  error_code ignored;
  if (out_.is_open()) out_.cancel(ignored);
  if (err_.is_open()) err_.cancel(ignored);
}

asio::awaitable<bool> StreamSession::send(std::string_view message) {
  error_code error;
  while (sending_) co_await turn_.async_wait(asio::redirect_error(asio::use_awaitable, error));
  sending_ = true;
  error = {};
  co_await socket_.async_write(asio::buffer(message), asio::redirect_error(asio::use_awaitable, error));
  sending_ = false;
  turn_.cancel_one();
  co_return !error;
}

asio::awaitable<void> StreamSession::say_and_close(const std::string& status) {
  // A client that gives up without it tells of a connection that was lost.
  if (!co_await send(static_cast<char>(Channel::status) + status)) co_return;
  error_code ignored;
  co_await socket_.async_close(websocket::close_code::normal, asio::redirect_error(asio::use_awaitable, ignored));
}

void StreamSession::end() {
  if (std::exchange(ended_, true)) return;
  // A terminal that is closed tells the session of its program (SIGHUP).
  for (auto* descriptor : {&in_, &out_, &err_}) close(*descriptor);
  if (program_) program_->child.kill();
  if (log_) log_->stop();
  process_.cancel();
  client_.cancel();
  error_code ignored;
  beast::get_lowest_layer(socket_).socket().close(ignored);
}

}  // namespace knetsim
