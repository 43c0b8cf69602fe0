#include "judge.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "causes.h"
#include "knetsim/sys/failure.h"
#include "knetsim/sys/text.h"
#include "text.h"

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

/// As GoogleTest reads its filter: positive patterns, then after a '-' negative ones; * and ? are wild.
bool selects(const std::string& filter, const std::string& test) {
  const auto minus = filter.find('-');
  const auto any = [&](std::string_view patterns) {
    while (!patterns.empty()) {
      const std::string pattern(patterns.substr(0, patterns.find(':')));
      patterns.remove_prefix(std::min(pattern.size() + 1, patterns.size()));
      if (::fnmatch(pattern.c_str(), test.c_str(), FNM_NOESCAPE) == 0) return true;
    }
    return false;
  };
  const auto positive = filter.substr(0, minus);
  return (positive.empty() || any(positive)) && (minus == std::string::npos || !any(filter.substr(minus + 1)));
}

}  // namespace

std::optional<std::string> wrong_subject(const Registered& registered, const Attempt& attempt) {
  if (!attempt.gtest) return std::nullopt;
  const auto& result = *attempt.gtest;
  const auto program = result.properties.find("program");
  if (program != result.properties.end() && !registered.program.empty() && program->second != registered.program)
    return fmt::format("{} is of the program {}, not {}", attempt.gtest_file, excerpt(program->second),
                       registered.program);
  if (!attempt.not_before.empty() && !result.started.empty() && result.started < attempt.not_before)
    return fmt::format("{} is of an earlier run: it began at {}, this one at {}", attempt.gtest_file,
                       excerpt(result.started), attempt.not_before);
  if (registered.filter.empty()) return std::nullopt;
  // A filter of several tests isn't the name of one; then each that ran must match.
  const bool one = registered.filter.find_first_of("*?:") == std::string::npos;
  for (const auto& ran : result.ran)
    if (!selects(registered.filter, ran))
      return fmt::format("{} holds the result of {}, not of {}", attempt.gtest_file, excerpt(ran), registered.filter);
  if (one && result.ran.size() > 1)
    return fmt::format("{} holds {} results of {}", attempt.gtest_file, result.ran.size(), registered.filter);
  return std::nullopt;
}

namespace {

/// How a test ended that had no time, or no way, to say why: ctest's word for it, and the end of its output.
std::string last_words(const Registered& registered, const Attempt& attempt) {
  std::string what;
  if (attempt.ending == "Timeout" || attempt.ctest.output.find("knetsim: the test hangs") != std::string::npos)
    what = fmt::format("hung: it was ended after {}", seconds_text(attempt.ctest.seconds));
  else if (!attempt.ending.empty() && attempt.ending != "Failed")
    what = "crashed: " + attempt.ending;
  else if (const auto wrong = wrong_subject(registered, attempt))
    what = "failed, and " + *wrong;
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
  if (auto wrong = wrong_subject(registered, attempt)) return fmt::format("{} says ctest, but {}", outcome, *wrong);
  const auto said = to_string(attempt.gtest->verdict);
  if (said == outcome) return std::nullopt;
  const auto why = attempt.gtest->verdict == GtestResult::Verdict::skipped || attempt.gtest->reasons.empty()
                       ? ""
                       : ": " + failure_sentence(attempt.gtest->reasons.front().text);
  return fmt::format("{} says ctest, {} says {}{}", outcome, said, attempt.gtest_file, why);
}

std::string reason_of_skip(const RunResult& run, const std::string& name) {
  const auto test = std::find_if(run.tests.begin(), run.tests.end(), [&](const auto& one) { return one.name == name; });
  return test == run.tests.end() || test->reasons.empty() ? "" : ": " + why(*test);
}

}  // namespace

void judge_attempt(const Registered& registered, const Attempt& attempt, TestResult& test,
                   std::vector<std::string>& problems) {
  test.outcome = attempt.ctest.outcome;
  test.seconds = attempt.ctest.seconds;
  if (attempt.gtest) test.reasons = attempt.gtest->reasons;
  // A test that failed may have had no time to write its file, and needs no witness.
  if (test.outcome == Outcome::failed) {
    if (!attempt.gtest || attempt.gtest->verdict != GtestResult::Verdict::failed || wrong_subject(registered, attempt))
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
  for (const auto& test : registered)
    if (!known.insert(test.name).second) problems.push_back(test.name + ": registered more than once");
  const auto refusal = allowed.name().empty() ? std::string("no file of allowed skips was given (--allowed-skips)")
                                              : allowed.name() + " doesn't allow that";
  std::unordered_map<std::string, std::size_t> times;
  for (const auto& test : reported) ++times[test.name];
  std::set<std::string> doubled;
  for (const auto& test : reported) {
    if (times[test.name] > 1 && doubled.insert(test.name).second)
      problems.push_back(test.name + ": reported more than once");
    if (!known.contains(test.name)) problems.push_back(test.name + ": ctest reports it, yet it isn't registered");
    if (test.outcome == Outcome::skipped && !allowed.allow(test.name))
      problems.push_back(fmt::format("{}: didn't run, and {}{}", test.name, refusal, reason_of_skip(run, test.name)));
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
