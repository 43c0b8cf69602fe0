#include "knetsim/cli/shell/foreground.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

namespace knetsim::cli::shell {

namespace {

// Who interrupts that often means it.
constexpr int kInterruptsBeforeKill = 3;

}  // namespace

ExitStatus Foreground::run(const knetsim::Command& command) {
  requests_.interrupt = false;
  return on_terminal_ ? run_on_terminal(command) : run_plainly(command);
}

void Foreground::resize() const {
  if (relay_ != nullptr) relay_->resize();
}

ExitStatus Foreground::run_on_terminal(const knetsim::Command& command) {
  const auto pty = PtyPair::open();
  copy_settings(FdView(STDIN_FILENO), pty.programs);
  TerminalRelay relay(loop_, pty.ours);  // before the program, which asks for the terminal's size first of all
  auto child = Child::launch(command, pty.programs, pty.programs, pty.programs, true);
  relay_ = &relay;
  const auto ended = loop_.watch(child.pidfd(), POLLIN, [] {});
  loop_.run_until([&] { return child.status() || requests_.end || relay.end_wanted(); });
  child.kill();
  relay.drain();
  relay_ = nullptr;
  const auto status = *child.status();
  if (status.signal()) relay.tidy_up();
  typed_ahead_ += take_unread_keys(pty.programs);
  return status;
}

ExitStatus Foreground::run_plainly(const knetsim::Command& command) {
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  auto child = Child::launch(command, null, FdView(STDOUT_FILENO), FdView(STDERR_FILENO));
  const auto ended = loop_.watch(child.pidfd(), POLLIN, [] {});
  int interrupts = 0;
  loop_.run_until([&] {
    if (std::exchange(requests_.interrupt, false))
      ::kill(-child.pid(), ++interrupts < kInterruptsBeforeKill ? SIGINT : SIGKILL);
    return child.status() || requests_.end;
  });
  child.kill();
  return *child.status();
}

}  // namespace knetsim::cli::shell
