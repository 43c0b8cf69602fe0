#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "event.h"
#include "knetsim/sys/process.h"
#include "result.h"

namespace knetsim::cli {

/// Whoever shows progress. Calls come from the thread that runs the suite.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void test_started(const std::string& /*test*/) {}
  virtual void step_started(const StepStarted& /*step*/) {}
  virtual void test_ended(const TestResult& /*result*/) {}
  /// What the suite prints itself.
  virtual void output(std::string_view /*bytes*/) {}
  /// About ten times a second.
  virtual void tick() {}
};

/// The books of one process of one suite: which of the tests that were asked for started, ended, and how; and what
/// the suite did that it shouldn't have. Believes nothing that isn't said twice: a test passed only if it was asked
/// for, started, ended once as passed, and the totals and the exit code agree.
class Tally {
 public:
  Tally(std::string program, std::vector<std::string> asked, Listener& listener);

  /// Bad lines become problems; they don't stop the books.
  void on_line(const LineSplitter::Line& line);

  /// How it ended. `why` is set if we killed it: "it did nothing for 60 s". `output` is the end of what it printed.
  void on_end(ExitStatus status, const std::optional<std::string>& why, std::string_view output);

  const std::vector<TestResult>& results() const noexcept { return results_; }
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// Asked for, and neither ended nor in progress when the process died: another process may run them.
  std::vector<std::string> left() const;
  /// It died, but brought at least one test to an end.
  bool worth_resuming() const noexcept { return died_ && !results_.empty(); }
  /// It said itself that it can't run here (exit code 2, before any test): the reason is what it printed.
  bool refused() const noexcept { return refused_; }
  bool in_progress() const noexcept { return current_.has_value(); }

  /// Fails what is left, with this reason: no process will run it any more.
  void give_up(const std::string& reason);

 private:
  void on(const RunStarted& event);
  void on(const TestListed& event);
  void on(const TestStarted& event);
  void on(const StepStarted& event);
  void on(const StepEnded& event);
  void on(const FailureSeen& event);
  void on(const EvidenceSaved& event);
  void on(const TestEnded& event);
  void on(const RunEnded& event);
  void on(const UnknownEvent& event);

  void problem(std::string text);
  void close(TestResult result);
  void fail_current(const std::string& reason);
  void judge_exit(ExitStatus status, std::string_view output);
  std::size_t count(Verdict verdict) const;

  std::string program_;
  std::vector<std::string> asked_;
  Listener& listener_;
  std::vector<TestResult> results_;
  std::set<std::string> ended_;
  std::vector<std::string> problems_;
  std::optional<TestResult> current_;
  std::vector<StepStarted> steps_;  // those in progress, the innermost last
  std::optional<RunStarted> run_started_;
  bool any_started_ = false;
  bool run_ended_ = false;
  bool died_ = false;
  bool refused_ = false;
};

}  // namespace knetsim::cli
