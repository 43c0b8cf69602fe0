#include "causes.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "knetsim/sys/failure.h"

namespace knetsim::report {

namespace {

// Of the names in one line; the tests' own table has them all.
constexpr std::size_t kMostJoined = 10;

}  // namespace

std::string why(const TestResult& test) {
  return test.reasons.empty() ? std::string() : failure_sentence(telling_reason(test.reasons));
}

std::vector<Cause> causes_of(const std::vector<const TestResult*>& tests) {
  std::vector<Cause> causes;
  std::unordered_map<std::string, std::size_t> known;
  for (const auto* test : tests) {
    auto sentence = why(*test);
    if (sentence.empty()) sentence = to_string(test->outcome);
    const auto [at, fresh] = known.emplace(failure_cause(sentence), causes.size());
    if (fresh) causes.push_back({std::move(sentence), {}});
    causes[at->second].tests.push_back(test);
  }
  return causes;
}

std::vector<Cause> causes_of(const std::vector<Failure>& failures) {
  std::vector<const TestResult*> tests;
  for (const auto& failure : failures) tests.push_back(failure.test);
  return causes_of(tests);
}

std::vector<std::string> joined(const std::vector<std::string>& problems) {
  struct Group {
    std::string what;
    std::vector<std::string> names;
  };
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> known;
  for (const auto& problem : problems) {
    const auto colon = problem.find(": ");
    auto what = colon == std::string::npos ? problem : problem.substr(colon);
    const auto [at, fresh] = known.emplace(what, groups.size());
    if (fresh) groups.push_back({std::move(what), {}});
    if (fresh || colon != std::string::npos)
      groups[at->second].names.push_back(problem.substr(0, colon == std::string::npos ? 0 : colon));
  }
  std::vector<std::string> lines;
  for (auto& [what, names] : groups) {
    const auto more = names.size() > kMostJoined ? names.size() - kMostJoined : 0;
    names.resize(names.size() - more);
    lines.push_back(
        fmt::format("{}{}{}", fmt::join(names, ", "), more > 0 ? fmt::format(" and {} more", more) : "", what));
  }
  return lines;
}

}  // namespace knetsim::report
