#include "suite_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

namespace {

// GoogleTest takes its filter, its shards, its repeats from here too: a run with some of them proves less than it says.
const std::vector<std::string> kChangeWhatRuns{"GTEST_", "TEST_", "TESTBRIDGE_", "XML_OUTPUT_FILE"};

void set_nonblocking(const Fd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

}  // namespace

SuiteProcess::SuiteProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                           const std::map<std::string, std::string>& environment) {
  auto events = Pipe::create();
  auto output = Pipe::create();
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");

  knetsim::Command command{.argv = {program.string()}, .environment = environment, .withheld = kChangeWhatRuns};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  command.environment["KNETSIM_EVENTS_FD"] = std::to_string(events.write.get());
  try {
    child_.emplace(
        Child::launch(command, null, output.write, output.write, {.kept = {events.write}, .dies_with_caller = true}));
  } catch (const SystemError& error) {
    throw InputError(describe({.where = program.string(),
                               .tried = "execute it",
                               .answer = errno_text(error.error()),
                               .remedy = "build it, or install knetsim again"}));
  }
  events_ = std::move(events.read);
  output_ = std::move(output.read);
  set_nonblocking(events_);
  set_nonblocking(output_);
}

void SuiteProcess::signal(int number) {
  if (!child_->status()) ::kill(child_->pid(), number);
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
