#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "compare.h"
#include "model.h"

namespace knetsim::report {

/// Why a test isn't green, in one sentence (failure_sentence() of its first reason); empty: it gives no reason.
std::string why(const TestResult& test);

/// Tests that failed for one reason.
struct Cause {
  std::string sentence;                  ///< that of the first of them; its outcome in a word if it gives no reason
  std::vector<const TestResult*> tests;  ///< one at least
};

/// Where room is short; the report has them all.
inline constexpr std::size_t kMostNamesOfACause = 20;

/// In the order of their first tests. Sentences that differ in addresses, process ids and times alone are of one cause.
std::vector<Cause> causes_of(const std::vector<const TestResult*>& tests);
std::vector<Cause> causes_of(const std::vector<Failure>& failures);

/// Lines "<test>: <what is wrong>", those of one wrong as one: "a, b and 7 more: <what is wrong>".
std::vector<std::string> joined(const std::vector<std::string>& problems);

}  // namespace knetsim::report
