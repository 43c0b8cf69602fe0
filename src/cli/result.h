#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "event.h"
#include "terminal.h"

namespace knetsim::cli {

/// One test, as its suite told it, or as its suite's end told it.
struct TestResult {
  std::string program;
  std::string test;
  Verdict verdict = Verdict::failed;
  double seconds = 0;
  std::vector<Reason> reasons;
  std::vector<StepEnded> steps;
  std::string evidence;
};

/// Why it failed or was skipped, in one sentence; empty if it gives no reason.
std::string why(const TestResult& test);
/// Two tests with the same cause failed for the same reasons, but for addresses, process ids and times.
std::string cause(const TestResult& test);

/// One check of the README: every test that proves it.
struct CheckResult {
  std::string id;
  std::string title;
  std::vector<TestResult> tests;

  /// Failed if one test failed, else skipped if one was skipped. A check without tests proves nothing: failed.
  Verdict verdict() const;
  double seconds() const;
  std::size_t actions() const;
};

/// Something wrong with a suite program itself, whatever its tests said.
struct Problem {
  std::string program;
  std::string text;
};

enum class Ending { complete, interrupted, could_not_run };

struct RunResult {
  std::vector<CheckResult> checks;   ///< those that ended, in the order in which they are listed
  std::vector<std::string> not_run;  ///< ids of the others
  std::vector<Problem> problems;
  Ending ending = Ending::complete;
  int signal = 0;  ///< the one that interrupted it
  double seconds = 0;
  std::chrono::system_clock::time_point started;
  std::string command = "knetsim check";  ///< what to type, with --only, to run some of it again

  std::size_t count(Verdict verdict) const;
  /// All checks ran and passed, and no suite misbehaved.
  bool green() const;
};

/// docs/results-schema.md, "knetsim.results/1".
std::string to_json(const RunResult& run);

/// The end of a run: the table, then only what isn't green, with its reasons and evidence, then one line of total.
void print_summary(const RunResult& run, const Terminal& terminal, const Style& style);

}  // namespace knetsim::cli
