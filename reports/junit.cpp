#include <fmt/format.h>

#include <iterator>
#include <map>

#include "causes.h"
#include "judge.h"
#include "text.h"
#include "writers.h"

namespace knetsim::report {

namespace {

struct Suite {
  std::string cases;
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;
  double seconds = 0;
};

std::string place(const Reason& reason) {
  return reason.file.empty() ? "" : fmt::format("{}:{}\n", reason.file, reason.line);
}

std::string problem_element(const char* element, const TestResult& test) {
  std::string text;
  for (const auto& reason : test.reasons) text += (text.empty() ? "" : "\n\n") + place(reason) + reason.text;
  const auto message = test.reasons.empty() ? std::string(to_string(test.outcome)) : why(test);
  return fmt::format("<{0} message=\"{1}\" type=\"{2}\">{3}</{0}>", element, escape_xml(message),
                     to_string(test.outcome), escape_xml(text));
}

void add(Suite& suite, const TestResult& test) {
  ++suite.tests;
  suite.seconds += test.seconds;
  std::string what;
  switch (test.outcome) {
    case Outcome::passed:
      break;
    case Outcome::failed:
    case Outcome::flaky:
      ++suite.failures;
      what = problem_element("failure", test);
      break;
    case Outcome::missing:
      ++suite.errors;
      what = problem_element("error", test);
      break;
    case Outcome::skipped:
      ++suite.skipped;
      what = fmt::format("<skipped message=\"{}\"/>", escape_xml(why(test)));
      break;
  }
  fmt::format_to(std::back_inserter(suite.cases), "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"{}\n",
                 escape_xml(suite_of(test)), escape_xml(short_name(test)), test.seconds,
                 what.empty() ? "/>" : fmt::format(">{}</testcase>", what));
}

void append(std::string& to, const std::string& name, const Suite& suite, const RunResult& run) {
  fmt::format_to(std::back_inserter(to),
                 "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\" "
                 "timestamp=\"{}\">\n{}  </testsuite>\n",
                 escape_xml(name), suite.tests, suite.failures, suite.errors, suite.skipped, suite.seconds,
                 escape_xml(run.started), suite.cases);
}

/// What no test case of the suites tells: a reader of this file alone must see that the run is red.
Suite suite_of_the_run(const RunResult& run, const Comparison& comparison) {
  TestResult test{.name = "run:may be called green", .outcome = Outcome::passed};
  for (const auto& problem : run.problems) test.reasons.push_back({{}, 0, problem});
  for (const auto& regression : comparison.regressions) test.reasons.push_back({{}, 0, regression});
  if (run.tests.empty()) test.reasons.push_back({{}, 0, "no test ran"});
  if (!test.reasons.empty()) test.outcome = Outcome::failed;
  Suite suite;
  add(suite, test);
  return suite;
}

}  // namespace

std::string junit_xml(const RunResult& run, const Comparison& comparison) {
  std::map<std::string, Suite> suites;
  for (const auto& test : run.tests) add(suites[suite_of(test)], test);
  std::string body;
  append(body, "run", suite_of_the_run(run, comparison), run);
  for (const auto& [name, suite] : suites) append(body, name, suite, run);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"knetsim\" time=\"{:.3f}\">\n{}</testsuites>\n",
      run.seconds, body);
}

}  // namespace knetsim::report
