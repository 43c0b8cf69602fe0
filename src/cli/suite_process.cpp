#include "suite_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

namespace {

// GoogleTest takes its filter, its shards, its repeats from here too: a run with some of them proves less than it says.
bool changes_what_runs(std::string_view variable) {
  constexpr std::array<std::string_view, 4> kPrefixes{"GTEST_", "TEST_", "TESTBRIDGE_", "XML_OUTPUT_FILE"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto name = text.substr(0, text.find('='));
    if (!changes_what_runs(name) && !added.contains(std::string(name))) all.emplace_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (auto& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Child {
  const char* program;
  char** arguments;
  char** environment;
  const Interrupts& interrupts;
  pid_t parent;
  int null;
  int output;
  int events;
  int error;
};

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const Child& child) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (::getppid() != child.parent) ::_exit(2);
  ::dup2(child.null, STDIN_FILENO);
  ::dup2(child.output, STDOUT_FILENO);
  ::dup2(child.output, STDERR_FILENO);
  ::fcntl(child.events, F_SETFD, 0);
  child.interrupts.restore_in_child();
  ::execve(child.program, child.arguments, child.environment);
  const int reason = errno;
  if (::write(child.error, &reason, sizeof reason) < 0) ::_exit(126);
  ::_exit(127);
}

void set_nonblocking(const Fd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

}  // namespace

SuiteProcess::SuiteProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment, const Interrupts& interrupts) {
  auto events = Pipe::create();
  auto output = Pipe::create();
  auto error = Pipe::create();
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");

  std::vector<std::string> argv{program.string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  auto added = environment;
  added["KNETSIM_EVENTS_FD"] = std::to_string(events.write.get());
  auto env = environment_with(added);
  auto argv_pointers = pointers_to(argv);
  auto env_pointers = pointers_to(env);
  const Child child{argv[0].c_str(), argv_pointers.data(), env_pointers.data(), interrupts,       ::getpid(),
                    null.get(),      output.write.get(),   events.write.get(),  error.write.get()};

  pid_ = ::fork();
  if (pid_ < 0) throw SystemError("start", program.string());
  if (pid_ == 0) become(child);
  ::setpgid(pid_, pid_);  // both do it: whoever comes first
  pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  events.write.reset();
  output.write.reset();
  error.write.reset();
  int reason = 0;
  if (::read(error.read.get(), &reason, sizeof reason) == static_cast<ssize_t>(sizeof reason)) {
    wait();
    throw InputError(describe({.where = program.string(),
                               .tried = "execute it",
                               .answer = errno_text(reason),
                               .remedy = "build it, or install knetsim again"}));
  }
  if (!pidfd_) {
    const SystemError failure("watch for the end of", program.string());
    kill();
    wait();
    throw failure;
  }
  events_ = std::move(events.read);
  output_ = std::move(output.read);
  set_nonblocking(events_);
  set_nonblocking(output_);
}

SuiteProcess::~SuiteProcess() {
  if (reaped_) return;
  kill();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void SuiteProcess::signal(int number) const {
  if (!reaped_) ::kill(pid_, number);
}

void SuiteProcess::kill() const {
  if (!reaped_) ::kill(-pid_, SIGKILL);
}

ExitStatus SuiteProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) throw SystemError("wait for a suite program");
  reaped_ = true;
  return ExitStatus(status);
}

std::optional<std::string> read_available(FdView from) {
  std::string bytes;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto count = ::read(from.get(), buffer.data(), buffer.size());
    if (count > 0) {
      bytes.append(buffer.data(), static_cast<std::size_t>(count));
      // A program that writes without end must not keep us from looking at the clock.
      if (bytes.size() >= std::size_t{1} << 20) return bytes;
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else if (count < 0 && errno == EAGAIN) {
      return bytes;
    } else {
      return bytes.empty() ? std::nullopt : std::optional(bytes);
    }
  }
}

}  // namespace knetsim::cli
