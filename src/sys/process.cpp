#include "knetsim/sys/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iostream>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

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

void say(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) < 0) ::_exit(1);
}

[[noreturn]] void be_the_child(const Pipe& pipe, bool sandboxed, const std::function<void()>& probe) {
  // What the sandbox says when it refuses goes to stderr.
  ::dup2(pipe.write.get(), STDERR_FILENO);
  try {
    if (sandboxed) Sandbox::enter();
    probe();
    ::_exit(0);
  } catch (const std::exception& error) {
    say(pipe.write.get(), error.what());
    ::_exit(1);
  }
}

}  // namespace

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

Process Process::spawn(const Command& command, const fs::path& log, const std::vector<FdView>& kept) {
  const Fd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!output) throw SystemError("open the log", log.string());
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  auto child = Child::launch(command, null, output, output, {.kept = kept});
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

std::optional<std::string> try_in_child(bool sandboxed, const std::function<void()>& probe) {
  auto pipe = Pipe::create();
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) throw SystemError("fork a child to try a kernel feature");
  if (child == 0) be_the_child(pipe, sandboxed, probe);
  pipe.write.reset();
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto count = ::read(pipe.read.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const ExitStatus end(status);
  if (end.success()) return std::nullopt;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? end.describe() : text;
}

}  // namespace knetsim
