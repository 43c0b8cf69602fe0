// What failed for one reason is one entry with its names, wherever failures are listed.
#include "causes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.h"
#include "writers.h"

namespace knetsim::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::size_t occurrences(const std::string& text, const std::string& of) {
  std::size_t count = 0;
  for (auto at = text.find(of); at != std::string::npos; at = text.find(of, at + of.size())) ++count;
  return count;
}

std::string ping_failure(int subnet) {
  return fmt::format(
      "Value of: c1()\nExpected: can ping 11.{0}.0.2\n  Actual: w1/c1, in short: w1/c1 can't ping "
      "11.{0}.0.2: 1 sent, 0 received\nPING 11.{0}.0.2 ...\npath: w1/c1 -> 11.{0}.0.2",
      subnet);
}

/// Eleven tests that lose the same ping, each in subnets of its own, and one that fails otherwise.
RunResult eleven_and_one() {
  std::vector<TestResult> tests;
  for (int i = 0; i < 11; ++i) tests.push_back(failing(fmt::format("Pods.number_{}", i), ping_failure(10 + i)));
  tests.push_back(failing("Pods.other", "Failed\nw2: no etcd"));
  return night(1, std::move(tests));
}

TEST(Causes, AreTheSentencesWithoutWhatChangesFromTestToTest) {
  const auto run = eleven_and_one();
  const auto causes = causes_of(compare(run, {}).new_failures);
  ASSERT_THAT(causes, SizeIs(2));
  EXPECT_EQ(causes[0].sentence, "w1/c1 can't ping 11.10.0.2: 1 sent, 0 received");
  EXPECT_THAT(causes[0].tests, SizeIs(11));
  EXPECT_EQ(causes[1].sentence, "w2: no etcd");
}

TEST(Causes, OfTestsThatSayNothingAreTheirOutcome) {
  auto missing = passing("T.a");
  missing.outcome = Outcome::missing;
  const auto causes = causes_of({&missing});
  ASSERT_THAT(causes, SizeIs(1));
  EXPECT_EQ(causes[0].sentence, "missing");
  EXPECT_EQ(why(missing), "");
}

TEST(Causes, StandOnceInEveryListOfFailuresWithAllNames) {
  const auto run = eleven_and_one();
  const auto comparison = compare(run, {});
  const Scratch scratch;
  const auto summary = summary_markdown(run, comparison);
  EXPECT_EQ(occurrences(summary, "`w1/c1 can't ping 11.10.0.2: 1 sent, 0 received`"), 1U) << summary;
  EXPECT_THAT(summary, AllOf(HasSubstr("### 12 failures"), HasSubstr("11 tests"), Not(HasSubstr("new failure"))));
  const auto lines = annotations(run, comparison);
  EXPECT_EQ(occurrences(lines, "::error "), 2U) << lines;
  const auto page = html_page(run, comparison, scratch.path() / "report");
  EXPECT_EQ(occurrences(page, "<h3>w1/c1 can&#39;t ping 11.10.0.2: 1 sent, 0 received</h3>"), 1U);
  EXPECT_THAT(page, HasSubstr("11 tests failed for this reason"));
  for (int i = 0; i < 11; ++i) {
    const auto name = fmt::format("Pods.number_{}", i);
    EXPECT_THAT(summary, HasSubstr(name));
    EXPECT_THAT(lines, HasSubstr(name));
    EXPECT_THAT(page, HasSubstr(name));
  }
}

TEST(Causes, AreTheMessageOfEachTestInJunit) {
  const auto run = eleven_and_one();
  const auto xml = junit_xml(run, compare(run, {}));
  EXPECT_THAT(xml, HasSubstr("message=\"w1/c1 can&#39;t ping 11.20.0.2: 1 sent, 0 received\""));
  EXPECT_THAT(xml, HasSubstr("message=\"w2: no etcd\""));
}

TEST(Causes, JoinProblemsThatDifferInTheirTestAlone) {
  EXPECT_THAT(joined({"a: left no result", "run", "b: left no result", "c: unknown", "run"}),
              ElementsAre("a, b: left no result", "run", "c: unknown"));
  std::vector<std::string> many;
  for (int i = 0; i < 12; ++i) many.push_back(fmt::format("t{}: gone", i));
  EXPECT_THAT(joined(many), ElementsAre("t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 2 more: gone"));
  EXPECT_THAT(joined({}), IsEmpty());
}

}  // namespace
}  // namespace knetsim::report
