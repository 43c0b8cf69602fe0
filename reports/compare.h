#pragma once

#include <optional>
#include <string>
#include <vector>

#include "history.h"
#include "model.h"

namespace knetsim::report {

/// A failure, and since when.
struct Failure {
  const TestResult* test;
  std::size_t nights = 1;  ///< how many nights in a row, tonight included
  std::string since;       ///< the first of them
  std::string commit;      ///< of that night
  std::string passed_at;   ///< commit of the last night in which it passed; empty: none is known
};

/// Something that takes longer (or, of a throughput, yields less) than it did.
struct Slowdown {
  std::string name;
  std::string unit;
  double before = 0;  ///< median
  double after = 0;   ///< median
  double p = 1;       ///< of the Mann-Whitney test
  double change() const { return before > 0 ? after / before - 1 : 0; }
};

/// Tonight beside the nights before. Pointers are into the run that was compared.
struct Comparison {
  History history;
  std::vector<Failure> new_failures;
  std::vector<Failure> still_failing;
  std::vector<const TestResult*> fixed;
  std::vector<const TestResult*> flaky;
  std::vector<Slowdown> slower;  ///< tests
  std::vector<Slowdown> slower_figures;
  std::optional<Night> last_green;
  std::vector<std::string> gone;          ///< ran last night, and don't exist any more
  std::optional<double> coverage_change;  ///< points since the last night that measured it
  std::vector<std::string> regressions;   ///< what of this makes the run red, beside its failures
};

/// The last kRecent nights (tonight included) are held against those before, of kWindow in all. It is an alarm if both
/// the test says that chance is less likely than kChance, and the median is worse by kFloor and by kLeastSeconds:
/// one noisy night changes no median of five.
inline constexpr std::size_t kWindow = 20;
inline constexpr std::size_t kRecent = 5;
inline constexpr double kChance = 0.001;
inline constexpr double kFloor = 0.10;
inline constexpr double kLeastSeconds = 0.010;  ///< GoogleTest counts milliseconds
inline constexpr double kLeastCovered = 85;     ///< percent of lines
inline constexpr double kCoverageFall = 1;      ///< points

Comparison compare(const RunResult& run, History history);

/// "3 new failures"; without a night to compare with, "3 failures".
std::string heading_of_new_failures(const Comparison& comparison);

/// "git log aaaaaaaaaa..bbbbbbbbbb": what was changed in between; empty if a commit is unknown, or they are one.
std::string commits_between(const std::string& from, const std::string& to);

}  // namespace knetsim::report
