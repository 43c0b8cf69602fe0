#include "jobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

namespace knetsim::cli::shell {

namespace {

// For what a program does when it is interrupted: summing up, writing what it holds.
constexpr std::chrono::seconds kGrace{2};

}  // namespace

bool Requests::do_errand() {
  if (errands.empty() || end) return false;
  const auto errand = std::move(errands.front());
  errands.pop_front();
  errand();
  return true;
}

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
  auto child = Child::launch(command, pty.programs, pty.programs, pty.programs, {.terminal = true});
  relay_ = &relay;
  const auto ended = loop_.watch(child.pidfd(), POLLIN, [] {});
  loop_.run_until([&] { return child.status() || requests_.end || relay.end_wanted(); });
  end(child);
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
  loop_.run_until([&] { return child.status() || requests_.end; });
  end(child);
  return *child.status();
}

// An interrupt comes to the program first, as if it had been alone at the terminal; a second one doesn't wait.
void Foreground::end(Child& child) {
  if (!child.status() && std::exchange(requests_.interrupt, false)) {
    ::kill(-child.pid(), SIGINT);
    loop_.run_until([&] { return child.status() || requests_.interrupt; }, kGrace);
  }
  child.kill();
}

BackgroundProgram& Background::start(const Node& node, std::vector<std::string> argv,
                                     const std::filesystem::path& capture) {
  auto name = std::filesystem::path(argv.front()).filename().string();
  const auto log = fmt::format("{}-{}.log", name, ++started_);
  return programs_.emplace_back(
      BackgroundProgram{node.name(), std::move(name), capture, node.spawn(std::move(argv), log)});
}

void Background::end_on(const std::string& node) {
  programs_.remove_if([&](const BackgroundProgram& program) { return program.node == node; });
}

void Background::forget_ended() {
  programs_.remove_if([](BackgroundProgram& program) { return !program.process.running(); });
}

}  // namespace knetsim::cli::shell
