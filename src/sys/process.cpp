#include "knetsim/sys/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"

namespace knetsim {

namespace fs = std::filesystem;

std::optional<int> ExitStatus::code() const noexcept {
  return WIFEXITED(status_) ? std::optional(WEXITSTATUS(status_)) : std::nullopt;
}

std::optional<int> ExitStatus::signal() const noexcept {
  return WIFSIGNALED(status_) ? std::optional(WTERMSIG(status_)) : std::nullopt;
}

std::string ExitStatus::describe() const {
  if (const auto number = signal()) {
    const char* name = ::sigabbrev_np(*number);
    return fmt::format("killed by SIG{}", name ? name : std::to_string(*number));
  }
  return fmt::format("exit code {}", code().value_or(-1));
}

struct Process::State {
  Child child;
  std::string name;
  fs::path log;
};

Process::Process(std::unique_ptr<State> state) : state_(std::move(state)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

Command in_neutral_environment(Command command, const std::string& prefix) {
  command.withheld.push_back(prefix);
  for (const auto* name : {"NO_PROXY", "no_proxy"}) command.environment[name] = "*";
  return command;
}

Process Process::spawn(const Command& command, const fs::path& log) {
  const Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!output) throw SystemError("open the log", log.string());
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  auto child = Child::launch(command, null, output, output);
  auto name = fs::path(command.argv.front()).filename().string();
  return Process(std::make_unique<State>(State{std::move(child), std::move(name), log}));
}

pid_t Process::pid() const noexcept { return state_->child.pid(); }
bool Process::running() { return !status(); }
std::optional<ExitStatus> Process::status() { return state_->child.status(); }
FdView Process::pidfd() const noexcept { return state_->child.pidfd(); }
const std::string& Process::name() const noexcept { return state_->name; }
const fs::path& Process::log() const noexcept { return state_->log; }

void Process::signal(int number) {
  if (running()) ::kill(pid(), number);
}

ExitStatus Process::wait(std::chrono::milliseconds budget) { return state_->child.wait(budget); }

ExitStatus Process::terminate(std::chrono::milliseconds grace) {
  signal(SIGTERM);
  try {
    return wait(grace);
  } catch (const StillMissing&) {
    state_->child.kill();
    return *status();
  }
}

std::string Process::log_tail(std::size_t lines) const {
  std::ifstream file(state_->log);
  std::deque<std::string> last;
  for (std::string line; std::getline(file, line);) {
    last.push_back(std::move(line));
    if (last.size() > lines) last.pop_front();
  }
  return last.empty() ? "    (its log is empty)" : fmt::format("    {}", fmt::join(last, "\n    "));
}

}  // namespace knetsim
