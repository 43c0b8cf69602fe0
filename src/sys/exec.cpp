#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sigpipe.h"

namespace knetsim {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void set_nonblocking(const Fd& fd) { ::fcntl(fd.get(), F_SETFL, O_NONBLOCK); }

// Reads what is there; closes the descriptor at its end.
void drain(Fd& from, std::string& into) {
  std::array<char, 65536> buffer;
  while (from) {
    const auto count = ::read(from.get(), buffer.data(), buffer.size());
    if (count > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      if (count == 0 || errno != EAGAIN) from.reset();
      return;
    }
  }
}

void feed(Fd& into, std::string_view& input) {
  while (into && !input.empty()) {
    const auto count = ::write(into.get(), input.data(), input.size());
    if (count >= 0) {
      input.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      break;
    }
  }
  into.reset();
}

}  // namespace

ExecResult exec(const Command& command, milliseconds timeout, const std::string& input) {
  const auto deadline = steady_clock::now() + timeout;
  auto out = Pipe::create();
  auto err = Pipe::create();
  Pipe in;
  if (input.empty()) {
    in.read = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } else {
    in = Pipe::create();
    set_nonblocking(in.write);
  }
  auto child = Child::launch(command, in.read, out.write, err.write);
  in.read.reset();
  out.write.reset();
  err.write.reset();
  set_nonblocking(out.read);
  set_nonblocking(err.read);

  // A program may end before it has read its input: that is its right.
  const SigpipeBlocked quiet;
  std::string_view rest(input);
  ExecResult result{.status = ExitStatus(0), .out = {}, .err = {}};
  for (;;) {
    // The status is asked before the pipes are drained: what the program wrote before its end is then there.
    const auto ended = child.status();
    drain(out.read, result.out);
    drain(err.read, result.err);
    feed(in.write, rest);
    if (ended) {
      result.status = *ended;
      return result;
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) {
      child.kill();
      drain(out.read, result.out);
      drain(err.read, result.err);
      result.status = *child.status();
      result.timed_out = true;
      return result;
    }
    // poll(2) ignores negative descriptors, so a closed one needs no case of its own.
    std::array<pollfd, 4> events{{{child.pidfd().get(), POLLIN, 0},
                                  {out.read.get(), POLLIN, 0},
                                  {err.read.get(), POLLIN, 0},
                                  {in.write.get(), POLLOUT, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(left.count()));
  }
}

}  // namespace knetsim
