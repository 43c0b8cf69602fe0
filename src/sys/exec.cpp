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

// One of a command's outputs.
struct DrainedOutput {
  Fd from;
  std::string text = {};
  bool truncated = false;

  // Reads what is there, of a writer that never rests no more than a pipe holds: whoever waits has a clock to look at.
  void drain(std::size_t longest) {
    constexpr std::size_t kPipe = 1UL << 20;
    std::array<char, 65536> buffer;
    for (std::size_t taken = 0; from && taken < kPipe;) {
      const auto count = ::read(from.get(), buffer.data(), buffer.size());
      if (count > 0) {
        const auto got = static_cast<std::size_t>(count);
        const auto kept = std::min(got, longest - text.size());
        text.append(buffer.data(), kept);
        truncated = truncated || kept < got;
        taken += got;
      } else if (count == 0 || errno != EINTR) {
        if (count == 0 || errno != EAGAIN) from.reset();  // its end
        return;
      }
    }
  }
};

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

ExecResult exec(const Command& command, milliseconds timeout, const std::string& input, std::size_t longest) {
  const auto deadline = steady_clock::now() + timeout;
  auto out_pipe = Pipe::create();
  auto err_pipe = Pipe::create();
  Pipe in;
  if (input.empty()) {
    in.read = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } else {
    in = Pipe::create();
    set_nonblocking(in.write);
  }
  auto child = Child::launch(command, in.read, out_pipe.write, err_pipe.write);
  in.read.reset();
  out_pipe.write.reset();
  err_pipe.write.reset();
  set_nonblocking(out_pipe.read);
  set_nonblocking(err_pipe.read);
  DrainedOutput out{.from = std::move(out_pipe.read)};
  DrainedOutput err{.from = std::move(err_pipe.read)};
  const auto result = [&](const ExitStatus& status, bool timed_out) {
    return ExecResult{.status = status,
                      .out = std::move(out.text),
                      .err = std::move(err.text),
                      .timed_out = timed_out,
                      .truncated = out.truncated || err.truncated};
  };

  // A program may end before it has read its input: that is its right.
  const SigpipeBlocked quiet;
  std::string_view rest(input);
  for (;;) {
    // The status is asked before the pipes are drained: what the program wrote before its end is then there.
    const auto ended = child.status();
    out.drain(longest);
    err.drain(longest);
    feed(in.write, rest);
    if (ended) return result(*ended, false);
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) {
      child.kill();
      out.drain(longest);
      err.drain(longest);
      return result(*child.status(), true);
    }
    // poll(2) ignores negative descriptors, so a closed one needs no case of its own.
    std::array<pollfd, 4> events{{{child.pidfd().get(), POLLIN, 0},
                                  {out.from.get(), POLLIN, 0},
                                  {err.from.get(), POLLIN, 0},
                                  {in.write.get(), POLLOUT, 0}}};
    ::poll(events.data(), events.size(), static_cast<int>(left.count()));
  }
}

}  // namespace knetsim
