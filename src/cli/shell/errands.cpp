#include "errands.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ostream>
#include <streambuf>

#include "command.h"
#include "knetsim/sys/child.h"
#include "lookup.h"
#include "programs.h"

namespace knetsim::cli::shell {

namespace {

/// Writes to a descriptor of a visitor's. Where there is no room the loop goes on until there is.
class VisitorsOutput : public std::streambuf {
 public:
  VisitorsOutput(EventLoop& loop, const Requests& requests, const Errand& errand, FdView fd)
      : loop_(loop), requests_(requests), errand_(errand), fd_(fd) {
    // A pseudo terminal says that it has room when it has some. Its descriptor is shared, so that one of our own is
    // told not to wait; pipes and sockets have room for a whole piece, and files always.
    if (::isatty(fd.get()) != 0)
      own_ =
          Fd(::open(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (own_) fd_ = own_;
    setp(buffer_.begin(), buffer_.end());
  }

  bool failed() const noexcept { return failed_; }

 protected:
  int overflow(int character) override {
    write_all();
    if (character != traits_type::eof()) sputc(traits_type::to_char_type(character));
    return 0;
  }
  int sync() override {
    write_all();
    return 0;
  }

 private:
  bool has_room() const {
    pollfd one{fd_.get(), POLLOUT, 0};
    return ::poll(&one, 1, 0) != 0;
  }

  void wait_for_room() {
    bool room = has_room();
    if (room) return;
    const auto watch = loop_.watch(fd_, POLLOUT, [&] { room = true; });
    loop_.run_until([&] { return room || is_over(); });
  }

  bool is_over() const { return errand_.over || requests_.end.has_value(); }

  void write_all() {
    for (const char* at = pbase(); at < pptr() && !failed_;) {
      wait_for_room();
      if (is_over()) break;
      const SigpipeBlocked guard;
      const auto count = ::write(fd_.get(), at, static_cast<std::size_t>(pptr() - at));
      if (count > 0)
        at += count;
      else if (errno != EAGAIN && errno != EINTR)
        failed_ = true;
    }
    setp(buffer_.begin(), buffer_.end());
  }

  EventLoop& loop_;
  const Requests& requests_;
  const Errand& errand_;
  FdView fd_;
  Fd own_;
  std::array<char, PIPE_BUF> buffer_{};
  bool failed_ = false;
};

ExitStatus run_for(Errand& errand, EventLoop& loop, const Requests& requests, knetsim::Command command) {
  if (!errand.term.empty()) command.environment["TERM"] = errand.term;
  auto child = Child::launch(command, errand.descriptors[0], errand.descriptors[1], errand.descriptors[2],
                             {.terminal = errand.terminal});
  errand.program = child.pid();
  const auto ended = loop.watch(child.pidfd(), POLLIN, [] {});
  loop.run_until([&] { return child.status() || errand.over || requests.end; });
  errand.program = 0;
  child.kill();
  return *child.status();
}

std::size_t columns_of(const Errand& errand) {
  winsize size{};
  return errand.terminal && ::ioctl(errand.descriptors[1].get(), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

void run_errand(Session& session, EventLoop& loop, const Requests& requests, Errand& errand, News* news) {
  errand.begun = true;
  VisitorsOutput out_buffer(loop, requests, errand, errand.descriptors[1]);
  VisitorsOutput err_buffer(loop, requests, errand, errand.descriptors[2]);
  std::ostream out(&out_buffer);
  std::ostream err(&err_buffer);
  err << std::unitbuf;
  Session visitors{
      .emulation = session.emulation,
      .name = session.name,
      .terminal = {out, err, errand.terminal, columns_of(errand)},
      .style = Style::choose(ColorMode::automatic, {out, err, errand.terminal}),
      .run_in_front = [&](const knetsim::Command& command) { return run_for(errand, loop, requests, command); },
      .interrupted =
          [&] {
            loop.run_ready();
            return errand.interrupted || errand.over || requests.end.has_value();
          },
      .background = session.background};
  int status = execute(visitors, errand.line);
  if (visitors.leaving) {
    err << fmt::format("the lab stands until its prompt is left\n  remedy: knetsim down {}\n", session.name);
    status = kNotUnderstood;
  }
  out << std::flush;
  if (news != nullptr)
    for (const auto& one : news->take(session)) err << visitors.style.red(one) << '\n';
  if (out_buffer.failed() && status == kDone) {
    err << "stdout: what the line printed couldn't be written\n";
    status = kFailed;
  }
  bury_retired(session);
  if (errand.tell_end) errand.tell_end(status);
}

}  // namespace knetsim::cli::shell
