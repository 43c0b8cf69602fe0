#include "run_tests.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "readers.h"

namespace knetsim::report {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kListing{60};

/// As by ctest --show-only, in the order of registration.
std::string list_of(std::vector<std::string> command) {
  command.insert(command.begin() + 1, "--show-only=json-v1");
  const auto listed = exec({.argv = command}, kListing);
  if (!listed.ok())
    throw InputError(
        describe({.where = fmt::format("{}", fmt::join(command, " ")),
                  .tried = "list the tests",
                  .answer = listed.timed_out     ? "it hangs"
                            : listed.err.empty() ? listed.out
                                                 : listed.err,
                  .remedy = "is the project configured and built? --test-dir DIR names its build directory"}));
  return listed.out;
}

/// Where the suites' own results go; the same for all of a project.
fs::path artefacts_of(const std::vector<Registered>& tests, const std::vector<std::string>& command) {
  for (const auto& test : tests)
    if (test.xml_directory.filename() == "xml") return test.xml_directory.parent_path();
  throw InputError(describe({.where = fmt::format("{}", fmt::join(command, " ")),
                             .tried = "find tests of knetsim_suite()",
                             .answer = fmt::format("there are {} tests, and none is one", tests.size()),
                             .remedy = "find_package(knetsim) and knetsim_suite() register them: docs/sample-suite"}));
}

void remove_what_an_earlier_run_left(const fs::path& artefacts) {
  for (const auto* name : {"xml", "retry", "registered.json", "ctest.xml", "ctest.log", "all.json", "facts.json"})
    fs::remove_all(artefacts / name);
}

/// SIGINT and SIGTERM come here for as long as this object lives.
class Interruptions {
 public:
  Interruptions() {
    ::sigemptyset(&caught_);
    for (const int number : {SIGINT, SIGTERM}) ::sigaddset(&caught_, number);
    ::sigprocmask(SIG_BLOCK, &caught_, &before_);
    fd_ = Fd(::signalfd(-1, &caught_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) throw SystemError("wait for signals");
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  ~Interruptions() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  /// Hands on to the child's process group whatever comes before it ends.
  ExitStatus until_the_end_of(Child& child) {
    for (;;) {
      std::array<pollfd, 2> events{{{fd_.get(), POLLIN, 0}, {child.pidfd().get(), POLLIN, 0}}};
      if (::poll(events.data(), events.size(), -1) < 0 && errno != EINTR) throw SystemError("wait for ctest");
      for (signalfd_siginfo info{}; ::read(fd_.get(), &info, sizeof info) == sizeof info;)
        ::kill(-child.pid(), static_cast<int>(info.ssi_signo));
      if (const auto ended = child.status()) return *ended;
    }
  }

 private:
  sigset_t caught_{};
  sigset_t before_{};
  Fd fd_;
};

constexpr int kSignalled = 128;

}  // namespace

bool asks_for_some(const std::vector<std::string>& arguments) {
  constexpr std::array kSelections{"-R",
                                   "-L",
                                   "-E",
                                   "-LE",
                                   "-I",
                                   "--tests-regex",
                                   "--label-regex",
                                   "--exclude-regex",
                                   "--label-exclude",
                                   "--tests-information",
                                   "--rerun-failed",
                                   "--test-command"};
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return std::any_of(kSelections.begin(), kSelections.end(), [&](const std::string_view selection) {
      return argument == selection ||
             (selection.starts_with("--") && argument.starts_with(std::string(selection) + "="));
    });
  });
}

TestRun run_tests(const std::vector<std::string>& command) {
  if (command.empty() || fs::path(command.front()).filename() != "ctest")
    throw InputError(describe({.where = command.empty() ? "the command line" : command.front(),
                               .tried = "run tests",
                               .answer = "it isn't ctest",
                               .remedy = "knetsim-report run -- ctest --test-dir build"}));
  const auto list = list_of(command);
  const auto tests = read_registered_text(list, "ctest --show-only=json-v1");
  TestRun run{.artefacts = artefacts_of(tests, command), .partial = asks_for_some(command), .exit_code = 0};
  remove_what_an_earlier_run_left(run.artefacts);
  fs::create_directories(run.artefacts);
  write_file_atomically(run.artefacts / "registered.json", list);

  auto argv = command;
  for (const auto& [option, file] :
       {std::pair{"--output-junit", "ctest.xml"}, std::pair{"--output-log", "ctest.log"}}) {
    argv.emplace_back(option);
    argv.push_back(fs::absolute(run.artefacts / file).string());
  }
  // What a surrounding shell set for its own tests must not decide which of these run.
  Interruptions interruptions;
  auto ctest = Child::launch({.argv = argv, .withheld = {"GTEST_"}}, FdView(STDIN_FILENO), FdView(STDOUT_FILENO),
                             FdView(STDERR_FILENO), {.dies_with_caller = true});
  const auto ended = interruptions.until_the_end_of(ctest);
  if (!fs::exists(run.artefacts / "ctest.xml"))
    throw InputError(describe({.where = fmt::format("{}", fmt::join(command, " ")),
                               .tried = "run the tests",
                               .answer = fmt::format("it ended without a result: {}", ended.describe()),
                               .remedy = "a report needs a run to the end; what was run so far is on the terminal"}));
  run.exit_code = ended.code() ? *ended.code() : kSignalled + ended.signal().value_or(0);
  return run;
}

}  // namespace knetsim::report
