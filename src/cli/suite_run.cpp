#include "suite_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "knetsim/sys/child.h"
#include "knetsim/sys/error.h"
#include "text.h"

namespace knetsim::cli {

namespace {

// GoogleTest takes its filter, its shards, its repeats from here too: a run with some of them proves less than it says.
const std::vector<std::string> kChangeWhatRuns{"GTEST_", "TEST_", "TESTBRIDGE_", "XML_OUTPUT_FILE"};

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTick{100};
constexpr seconds kInterruptGrace{5};
constexpr seconds kListingTimeout{30};
constexpr std::size_t kKeptOutput = 64 * 1024;
constexpr std::size_t kShownLines = 20;
constexpr int kLastRounds = 16;

void set_nonblocking(const Fd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

/// A suite program that reports over a pipe of its own (KNETSIM_EVENTS_FD); what it prints comes through another. It
/// is a session of its own, so that a Ctrl-C reaches it once, through us, and the kernel kills it when we die,
/// however we die: start it from the main thread (PR_SET_PDEATHSIG goes by thread).
class SuiteProcess {
 public:
  /// `environment` is added to ours, from which whatever would change what GoogleTest runs is taken out. Throws
  /// InputError if the program can't be executed. SIGKILL to its process group with its owner.
  SuiteProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
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

  FdView events() const noexcept { return events_; }
  FdView output() const noexcept { return output_; }
  FdView pidfd() const noexcept { return child_->pidfd(); }  ///< readable when it has ended

  /// To the program alone.
  void signal(int number) {
    if (!child_->status()) ::kill(child_->pid(), number);
  }
  void kill() { child_->kill(); }  ///< SIGKILL to its process group; returns when it has ended
  /// nullopt while it runs.
  std::optional<ExitStatus> status() { return child_->status(); }

 private:
  Fd events_;
  Fd output_;
  std::optional<Child> child_;
};

/// What is there to read from `from` now, without blocking; nullopt at its end.
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

/// The last bytes of what a program printed.
class Tail {
 public:
  void add(std::string_view bytes) {
    text_ += bytes;
    if (text_.size() > 2 * kKeptOutput) text_.erase(0, text_.size() - kKeptOutput);
  }
  std::string last_lines() const {
    auto lines = split_lines(text_);
    if (lines.size() > kShownLines) lines.erase(lines.begin(), lines.end() - kShownLines);
    return join(lines, "\n");
  }

 private:
  std::string text_;
};

/// One process from its start to its end: pumps its pipes, watches the clock, hands signals on.
class Pump {
 public:
  Pump(SuiteProcess& process, const Interrupts& interrupts, milliseconds limit, Listener& listener)
      : process_(process), interrupts_(interrupts), limit_(limit), listener_(listener) {}

  /// `on_line` says whether the line is a sign of life.
  template <typename OnLine>
  ExitStatus run(OnLine&& on_line) {
    auto alive_at = Clock::now();
    bool ended = false;
    while (!ended) {
      ended = wait_for_something();
      listener_.tick();
      bool alive = false;
      // What it wrote before its end is in the pipes; what a child of its writes without end isn't waited for.
      for (int round = 0; round < (ended ? kLastRounds : 1); ++round) {
        read_events([&](const LineSplitter::Line& line) { alive |= on_line(line); });
        read_output();
      }
      const auto now = Clock::now();
      if (alive) alive_at = now;
      look_for_signals(now);
      if (ended || killed_) continue;
      if (signal_ && now >= signalled_at_ + kInterruptGrace) {
        end_it();
      } else if (!signal_ && now >= alive_at + limit_) {
        why_ = fmt::format("nothing ended within {}", limit_ < seconds(10)
                                                          ? seconds_text(static_cast<double>(limit_.count()) / 1000)
                                                          : fmt::format("{} s", limit_.count() / 1000));
        end_it();
      }
    }
    for (const auto& line : splitter_.finish()) on_line(line);
    return *process_.status();
  }

  const std::optional<std::string>& why_killed() const { return why_; }
  std::optional<int> signal() const { return signal_; }
  std::string tail() const { return tail_.last_lines(); }

 private:
  bool wait_for_something() {
    std::array<pollfd, 4> wanted{{{process_.pidfd().get(), POLLIN, 0},
                                  {interrupts_.fd().get(), POLLIN, 0},
                                  {events_open_ ? process_.events().get() : -1, POLLIN, 0},
                                  {output_open_ ? process_.output().get() : -1, POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), static_cast<int>(kTick.count()));
    return (wanted[0].revents & POLLIN) != 0;
  }

  template <typename OnLine>
  void read_events(OnLine&& on_line) {
    if (!events_open_) return;
    const auto bytes = read_available(process_.events());
    events_open_ = bytes.has_value();
    if (bytes)
      for (const auto& line : splitter_.feed(*bytes)) on_line(line);
  }

  void read_output() {
    if (!output_open_) return;
    const auto bytes = read_available(process_.output());
    output_open_ = bytes.has_value();
    if (!bytes || bytes->empty()) return;
    tail_.add(*bytes);
    listener_.output(*bytes);
  }

  void look_for_signals(Clock::time_point now) {
    while (const auto caught = interrupts_.take()) {
      // Whoever asks twice doesn't want to wait.
      if (signal_) {
        end_it();
      } else {
        signal_ = caught->number;
        signalled_at_ = now;
        process_.signal(caught->number);
      }
    }
  }

  void end_it() {
    killed_ = true;
    process_.kill();
  }

  SuiteProcess& process_;
  const Interrupts& interrupts_;
  milliseconds limit_;
  Listener& listener_;
  LineSplitter splitter_;
  Tail tail_;
  bool events_open_ = true;
  bool output_open_ = true;
  bool killed_ = false;
  std::optional<std::string> why_;
  std::optional<int> signal_;
  Clock::time_point signalled_at_;
};

std::string filter_for(const std::vector<std::string>& tests) { return "--gtest_filter=" + join(tests, ":"); }

// One process for `tests`. Returns what is left for another one, if that makes sense.
std::vector<std::string> run_once(const std::filesystem::path& program, const std::vector<std::string>& tests,
                                  const SuiteOptions& options, const Interrupts& interrupts, Listener& listener,
                                  SuiteOutcome& outcome) {
  auto environment = options.environment;
  environment["KNETSIM_TEST_TIMEOUT"] = std::to_string(options.test_timeout.count());
  SuiteProcess process(program, {filter_for(tests), "--gtest_color=no"}, environment);
  Tally tally(program.filename().string(), tests, listener);
  Pump pump(process, interrupts, options.test_timeout, listener);
  const auto status = pump.run([&](const LineSplitter::Line& line) {
    const auto ended = tally.results().size();
    const bool idle = !tally.in_progress();
    tally.on_line(line);
    // Steps don't count: a test that loops for ever may report them for ever.
    return tally.results().size() != ended || idle == tally.in_progress();
  });

  std::vector<std::string> left;
  if (pump.signal()) {
    outcome.ending = Ending::interrupted;
    outcome.signal = *pump.signal();
  } else {
    tally.on_end(status, pump.why_killed(), pump.tail());
    if (tally.refused()) {
      outcome.ending = Ending::could_not_run;
      outcome.refusal = pump.tail();
    } else if (tally.worth_resuming()) {
      left = tally.left();
    } else {
      tally.give_up("never ran: its suite ended before it");
    }
  }
  outcome.tests.insert(outcome.tests.end(), tally.results().begin(), tally.results().end());
  outcome.problems.insert(outcome.problems.end(), tally.problems().begin(), tally.problems().end());
  return left;
}

}  // namespace

SuiteOutcome run_suite(const std::filesystem::path& program, std::vector<std::string> tests,
                       const SuiteOptions& options, const Interrupts& interrupts, Listener& listener) {
  SuiteOutcome outcome;
  while (!tests.empty()) tests = run_once(program, tests, options, interrupts, listener, outcome);
  return outcome;
}

std::vector<TestListed> list_suite(const std::filesystem::path& program, const Interrupts& interrupts) {
  SuiteProcess process(program, {"--gtest_list_tests"}, {});
  Listener nobody;
  Pump pump(process, interrupts, kListingTimeout, nobody);
  std::optional<RunStarted> started;
  std::vector<TestListed> tests;
  std::string complaint;
  const auto status = pump.run([&](const LineSplitter::Line& line) {
    try {
      const auto event = parse_event(line.text);
      if (const auto* run = std::get_if<RunStarted>(&event)) started = *run;
      if (const auto* test = std::get_if<TestListed>(&event)) tests.push_back(*test);
    } catch (const ProtocolError& error) {
      if (complaint.empty()) complaint = error.what();
    }
    return false;
  });
  const auto refuse = [&](const std::string& answer) {
    return InputError(describe({.where = program.string(),
                                .tried = "list its tests",
                                .answer = answer,
                                .remedy = "build knetsim and its suites from the same source, or install them again"}));
  };
  if (pump.signal()) throw Interrupted(*pump.signal());
  if (!complaint.empty()) throw refuse(complaint);
  if (pump.why_killed()) throw refuse(*pump.why_killed());
  if (!status.success()) throw refuse(status.describe() + "\n" + pump.tail());
  if (!started) throw refuse("it reported nothing");
  if (started->tests != tests.size())
    throw refuse(fmt::format("it announced {} and listed {}", count_of(started->tests, "test"), tests.size()));
  if (tests.empty()) throw refuse("it has none");
  return tests;
}

}  // namespace knetsim::cli
