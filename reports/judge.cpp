#include "knetsim/report/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "knetsim/report/text.h"

namespace knetsim::report {

namespace {

/// What is left of the output without GoogleTest's own frame around it.
std::string without_frame(std::string_view output) {
  std::string kept;
  while (!output.empty()) {
    const auto line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (line.starts_with("[=====") || line.starts_with("[-----") || line.starts_with("Note: Google Test filter"))
      continue;
    kept.append(line).append("\n");
  }
  return kept;
}

/// How a test ended that had no time, or no way, to say why: ctest's word for it, and the end of its output.
std::string last_words(const Registered& registered, const Attempt& attempt) {
  std::string what;
  if (attempt.ending == "Timeout" || attempt.ctest.output.find("knetsim: the test hangs") != std::string::npos)
    what = fmt::format("hung: it was ended after {}", seconds_text(attempt.ctest.seconds));
  else if (!attempt.ending.empty() && attempt.ending != "Failed")
    what = "crashed: " + attempt.ending;
  else if (attempt.gtest)
    what = fmt::format("failed, although its own result says {}", to_string(attempt.gtest->verdict));
  else
    what = registered.xml.empty() ? "failed" : "failed without leaving a result";
  const auto output = without_frame(attempt.ctest.output);
  return output.empty() ? what : what + "; the end of its output:\n" + output;
}

std::optional<std::string> contradiction(const Registered& registered, const Attempt& attempt) {
  if (registered.xml.empty()) return std::nullopt;
  const auto outcome = to_string(attempt.ctest.outcome);
  if (!attempt.gtest) return fmt::format("{} says ctest, but it left no result in {}", outcome, attempt.gtest_file);
  const auto said = to_string(attempt.gtest->verdict);
  if (said == outcome) return std::nullopt;
  const auto why = attempt.gtest->verdict == GtestResult::Verdict::skipped || attempt.gtest->reasons.empty()
                       ? ""
                       : ": " + first_line(attempt.gtest->reasons.front().text);
  return fmt::format("{} says ctest, {} says {}{}", outcome, said, attempt.gtest_file, why);
}

}  // namespace

void judge_attempt(const Registered& registered, const Attempt& attempt, TestResult& test,
                   std::vector<std::string>& problems) {
  test.outcome = attempt.ctest.outcome;
  test.seconds = attempt.ctest.seconds;
  if (attempt.gtest) test.reasons = attempt.gtest->reasons;
  // A test that failed may have had no time to write its file, and needs no witness.
  if (test.outcome == Outcome::failed) {
    if (!attempt.gtest || attempt.gtest->verdict != GtestResult::Verdict::failed)
      test.reasons = {{{}, 0, clean(last_words(registered, attempt), kLongestReason)}};
    return;
  }
  if (const auto wrong = contradiction(registered, attempt)) {
    problems.push_back(fmt::format("{}: {}", test.name, *wrong));
    // A skip has its own rule: it is red unless there is leave for it.
    if (test.outcome == Outcome::passed || attempt.gtest) test.outcome = Outcome::failed;
    test.reasons.insert(test.reasons.begin(), {{}, 0, *wrong});
  } else if (test.outcome == Outcome::skipped && test.reasons.empty()) {
    test.reasons.push_back({{}, 0, attempt.ctest.message.empty() ? "it didn't run" : attempt.ctest.message});
  }
}

void judge_retry(const Registered& registered, const Attempt& retry, TestResult& test) {
  TestResult second{.name = test.name};
  std::vector<std::string> problems;
  judge_attempt(registered, retry, second, problems);
  if (test.outcome == Outcome::failed && second.outcome == Outcome::passed) test.outcome = Outcome::flaky;
}

void judge_run(const std::vector<Registered>& registered, const std::vector<Reported>& reported,
               const AllowedSkips& allowed, bool partial, RunResult& run) {
  auto& problems = run.problems;
  problems.insert(problems.end(), allowed.problems().begin(), allowed.problems().end());
  if (reported.empty()) problems.emplace_back("no test ran at all");
  std::unordered_set<std::string> known;
  for (const auto& test : registered) known.insert(test.name);
  std::unordered_map<std::string, std::size_t> times;
  for (const auto& test : reported) ++times[test.name];
  std::set<std::string> doubled;
  for (const auto& test : reported) {
    if (times[test.name] > 1 && doubled.insert(test.name).second)
      problems.push_back(test.name + ": reported more than once");
    if (!known.contains(test.name)) problems.push_back(test.name + ": ctest reports it, yet it isn't registered");
    if (test.outcome == Outcome::skipped && !allowed.allow(test.name))
      problems.push_back(fmt::format("{}: didn't run, and {} doesn't allow that", test.name, allowed.name()));
  }
  std::vector<std::string> names;
  for (const auto& test : registered) {
    names.push_back(test.name);
    if (times.contains(test.name)) continue;
    problems.push_back(test.name + ": registered, yet ctest reports nothing about it");
    run.tests.push_back({.name = test.name,
                         .labels = test.labels,
                         .outcome = Outcome::missing,
                         .reasons = {{{}, 0, "it was registered, yet ctest reports nothing about it"}}});
  }
  if (!partial)
    for (auto& rotten : allowed.rotten(names)) problems.push_back(std::move(rotten));
}

std::vector<std::string> reasons_for_red(const RunResult& run, const std::vector<std::string>& regressions) {
  std::vector<std::string> reasons;
  const auto add = [&](Outcome outcome, std::string_view what) {
    if (const auto count = run.count(outcome); count > 0)
      reasons.push_back(fmt::format("{} {}", count_of(count, "test"), what));
  };
  add(Outcome::failed, "failed");
  add(Outcome::missing, "left no result");
  add(Outcome::flaky, "failed, then passed when run again");
  if (!run.problems.empty()) reasons.push_back(count_of(run.problems.size(), "reason") + " that ctest doesn't count");
  if (run.tests.empty()) reasons.emplace_back("no test ran");
  reasons.insert(reasons.end(), regressions.begin(), regressions.end());
  return reasons;
}

}  // namespace knetsim::report
