#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model.h"
#include "readers.h"

namespace knetsim::report {

// The rules by which a run is called green. They are stricter than ctest's; docs/reports.md has them.

/// What is said about one attempt at a test: by ctest, and by the test itself.
struct Attempt {
  Reported ctest;
  std::string ending;                ///< how ctest saw it end, "Timeout"; empty: not known
  std::optional<GtestResult> gtest;  ///< nullopt: no readable result file
  std::string gtest_file;            ///< where it should be
  std::string not_before = {};       ///< local time before which none of this run's results began; empty: not known
};

/// A result file proves what it is about and nothing else: it must hold the one case that was to run, once, of the
/// program that was to run it, in this run. nullopt if it does, or if there is none; else what is wrong.
std::optional<std::string> wrong_subject(const Registered& registered, const Attempt& attempt);

/// The outcome of an attempt and its reasons. Only a test whose witnesses agree has passed: one that left without
/// running, or whose file tells another story than ctest, has failed.
void judge_attempt(const Registered& registered, const Attempt& attempt, TestResult& test,
                   std::vector<std::string>& problems);

/// A test that failed and then passed on its one retry is flaky, with the reasons of its failure.
void judge_retry(const Registered& registered, const Attempt& retry, TestResult& test);

/// What is wrong with the run as a whole: no test, unknown or doubled ones, skips without leave, leave without use.
/// Tests that were registered and not reported are added to `run` as missing.
void judge_run(const std::vector<Registered>& registered, const std::vector<Reported>& reported,
               const AllowedSkips& allowed, bool partial, RunResult& run);

/// Why it is red, in words ("2 tests failed"); empty: it is green. `regressions` are those of a comparison.
std::vector<std::string> reasons_for_red(const RunResult& run, const std::vector<std::string>& regressions = {});

}  // namespace knetsim::report
