#include "result.h"

#include <fmt/chrono.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "knetsim/sys/failure.h"
#include "version.h"

namespace knetsim::cli {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Reason& reason) { return {{"file", reason.file}, {"line", reason.line}, {"text", reason.text}}; }

Json json_of(const StepEnded& step) {
  return {{"from", step.from}, {"to", step.to}, {"what", step.what}, {"seconds", step.seconds}, {"ok", step.ok}};
}

Json json_of(const TestResult& test);
Json json_of(const CheckResult& check);
Json json_of(const Problem& problem);

template <typename T>
Json list_of(const std::vector<T>& items) {
  auto list = Json::array();
  for (const auto& item : items) list.push_back(json_of(item));
  return list;
}

Json json_of(const TestResult& test) {
  Json json{{"test", test.test},       {"program", test.program},          {"verdict", to_string(test.verdict)},
            {"seconds", test.seconds}, {"reasons", list_of(test.reasons)}, {"steps", list_of(test.steps)}};
  if (!test.reasons.empty()) json["why"] = why(test);
  if (!test.evidence.empty()) json["evidence"] = test.evidence;
  return json;
}

Json json_of(const CheckResult& check) {
  return {{"id", check.id},
          {"title", check.title},
          {"verdict", to_string(check.verdict())},
          {"seconds", check.seconds()},
          {"tests", list_of(check.tests)}};
}

Json json_of(const Problem& problem) { return {{"program", problem.program}, {"text", problem.text}}; }

std::string verdict_of(const RunResult& run) {
  switch (run.ending) {
    case Ending::interrupted:
      return "interrupted";
    case Ending::could_not_run:
      return "could not run";
    case Ending::complete:
      return run.green() ? "passed" : "failed";
  }
  std::abort();
}

Json host() {
  utsname name{};
  ::uname(&name);
  return {{"system", name.sysname},
          {"kernel", name.release},
          {"machine", name.machine},
          {"cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"root", ::geteuid() == 0}};
}

}  // namespace

std::string why(const TestResult& test) {
  return test.reasons.empty() ? std::string() : failure_sentence(telling_reason(test.reasons));
}

std::string cause(const TestResult& test) {
  std::string text;
  for (const auto& reason : test.reasons) text += failure_cause(failure_sentence(reason.text)) + "\n";
  return text;
}

Verdict CheckResult::verdict() const {
  const auto any = [&](Verdict wanted) {
    return std::any_of(tests.begin(), tests.end(), [&](const auto& test) { return test.verdict == wanted; });
  };
  if (tests.empty() || any(Verdict::failed)) return Verdict::failed;
  return any(Verdict::skipped) ? Verdict::skipped : Verdict::passed;
}

double CheckResult::seconds() const {
  double sum = 0;
  for (const auto& test : tests) sum += test.seconds;
  return sum;
}

std::size_t CheckResult::actions() const {
  std::size_t sum = 0;
  for (const auto& test : tests) sum += test.steps.size();
  return sum;
}

std::size_t RunResult::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(checks.begin(), checks.end(), [&](const auto& check) { return check.verdict() == verdict; }));
}

bool RunResult::green() const {
  return ending == Ending::complete && problems.empty() && not_run.empty() && !checks.empty() &&
         count(Verdict::passed) == checks.size();
}

std::string to_json(const RunResult& run) {
  Json json{{"schema", "knetsim.results/1"},
            {"version", version()},
            {"started", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(run.started))},
            {"seconds", run.seconds},
            {"verdict", verdict_of(run)},
            {"host", host()},
            {"totals",
             {{"passed", run.count(Verdict::passed)},
              {"failed", run.count(Verdict::failed)},
              {"skipped", run.count(Verdict::skipped)},
              {"not_run", run.not_run.size()}}},
            {"checks", list_of(run.checks)},
            {"not_run", run.not_run},
            {"problems", list_of(run.problems)}};
  // What a program printed may hold any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace knetsim::cli
