#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "event_loop.h"
#include "result.h"
#include "tally.h"

namespace knetsim::cli {

struct SuiteOptions {
  std::map<std::string, std::string> environment;
  /// How long a suite may be silent, and a test may take, before it is killed.
  std::chrono::seconds test_timeout{120};
};

struct SuiteOutcome {
  std::vector<TestResult> tests;
  std::vector<std::string> problems;
  Ending ending = Ending::complete;
  int signal = 0;
  std::string refusal;  ///< what it printed, if it couldn't run
};

/// Runs these tests ("Fixture.name") of a suite program, and brings every one of them to a verdict unless a signal
/// interrupts it. A program that crashes or hangs in one test costs that test alone: the rest run in a new process.
SuiteOutcome run_suite(const std::filesystem::path& program, std::vector<std::string> tests,
                       const SuiteOptions& options, const Interrupts& interrupts, Listener& listener);

/// The tests that a suite program has, as it lists them (--gtest_list_tests). Throws InputError if it can't.
std::vector<TestListed> list_suite(const std::filesystem::path& program, const Interrupts& interrupts);

}  // namespace knetsim::cli
