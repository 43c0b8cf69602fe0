#include "stream_session.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "knetsim/kube/status.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

namespace knetsim {

namespace asio = boost::asio;
using boost::system::error_code;
using stream_frames::Channel;

namespace {

constexpr std::size_t kStreamPiece = 32 << 10;  // bytes that are told at once
constexpr std::size_t kLastWords = 1UL << 20;   // bytes of what others go on writing after the program's end
constexpr char kEndOfInput = '\x04';            // Ctrl-D

std::string last_words(const std::exception& reason) {
  return kube::internal_error(reason.what()).status().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void close(asio::posix::stream_descriptor& descriptor) {
  error_code ignored;
  descriptor.close(ignored);
}

}  // namespace

StreamSession::StreamSession(std::unique_ptr<StreamWire> wire)
    : wire_(std::move(wire)),
      client_(executor()),
      process_(executor()),
      in_(executor()),
      out_(executor()),
      err_(executor()) {}

asio::awaitable<void> StreamSession::run(KubeletRequest request, PodRuntime& pods) {
  const bool accepted = co_await wire_->accept();
  if (!accepted) co_return;
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
  if (!ended_) co_await wire_->finish(status);
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
  log_.emplace(LogReader::from_now_on(executor(), std::move(attachment.log)));
  listen_to_client();
  const bool told = request.streams.out || request.streams.err;
  for (;;) {
    const auto piece = co_await log_->next();
    if (piece.empty()) break;
    if (!told) continue;
    const bool sent = co_await wire_->send(Channel::out, piece);
    if (!sent) break;
  }
  co_return R"({"metadata":{},"status":"Success"})";
}

void StreamSession::listen_to_client() {
  if (std::exchange(listening_, true)) return;
  client_.add(FdView(wire_->transport().socket().native_handle()), EPOLLRDHUP);
  const auto self = shared_from_this();
  const auto keep = [self](const std::exception_ptr& failure) {
    if (failure) self->end();
  };
  asio::co_spawn(executor(), read_client(), keep);
  asio::co_spawn(executor(), watch_client(), keep);
}

asio::awaitable<void> StreamSession::watch_client() {
  // It may have gone while nothing is read of it, as the program doesn't take what it has sent already.
  co_await client_.wait();
  end();
}

asio::awaitable<void> StreamSession::read_client() {
  while (const auto said = co_await wire_->next()) {
    const auto& message = *said;
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
  std::string piece(kStreamPiece, '\0');
  for (std::size_t after_the_end = 0; from.is_open() && after_the_end < kLastWords;) {
    const auto count = ::read(from.native_handle(), piece.data(), kStreamPiece);
    if (count > 0) {
      if (over_) after_the_end += static_cast<std::size_t>(count);
      const bool sent = co_await wire_->send(channel, {piece.data(), static_cast<std::size_t>(count)});
      if (!sent) break;
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

void StreamSession::end() {
  if (std::exchange(ended_, true)) return;
  // A terminal that is closed tells the session of its program (SIGHUP).
  for (auto* descriptor : {&in_, &out_, &err_}) close(*descriptor);
  if (program_) program_->child.kill();
  if (log_) log_->stop();
  process_.cancel();
  client_.cancel();
  error_code ignored;
  wire_->transport().socket().close(ignored);
}

}  // namespace knetsim
