#include "in_front.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "command.h"
#include "event_loop.h"

namespace knetsim::cli {

namespace {

/// What can be read now, from a pipe that doesn't block; false at its end.
bool show(FdView from, int to) {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto count = ::read(from.get(), buffer.data(), buffer.size());
    if (count <= 0) return count < 0;
    for (ssize_t at = 0; at < count;) {
      const auto written = ::write(to, buffer.data() + at, static_cast<std::size_t>(count - at));
      if (written < 0 && errno != EINTR) break;  // who doesn't listen is waited for all the same
      at += std::max<ssize_t>(written, 0);
    }
  }
}

}  // namespace

int wait_in_front(const InFront& background) {
  EventLoop loop;
  const Interrupts interrupts;
  bool ready = false;
  bool ended = false;
  for (const auto* pipe : {&background.output, &background.errors}) ::fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
  EventLoop::Watch output;
  EventLoop::Watch errors;
  output = loop.watch(background.output, POLLIN, [&] {
    if (!show(background.output, STDOUT_FILENO)) output.end();
  });
  errors = loop.watch(background.errors, POLLIN, [&] {
    if (!show(background.errors, STDERR_FILENO)) errors.end();
  });
  EventLoop::Watch readiness;
  readiness = loop.watch(background.readiness, POLLIN, [&] {
    char word = 0;
    ready = ::read(background.readiness.get(), &word, 1) == 1;
    readiness.end();
  });
  const auto end = loop.watch(background.pidfd, POLLIN, [&] { ended = true; });
  const auto signals = loop.watch(interrupts.fd(), POLLIN, [&] {
    if (const auto caught = interrupts.take()) ::kill(background.pid, caught->number);
  });
  loop.run_until([&] { return ready || ended; });
  // What it wrote before it was ready has come.
  show(background.output, STDOUT_FILENO);
  show(background.errors, STDERR_FILENO);
  if (ready) return kExitGood;
  const auto status = background.wait();
  return status.signal() ? kExitSignal + *status.signal() : status.code().value_or(kExitCouldNotRun);
}

}  // namespace knetsim::cli
