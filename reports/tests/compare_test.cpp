#include "compare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.h"

namespace knetsim::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CompareTest : public testing::Test {
 protected:
  /// Nights 1 to n, each with this one test.
  template <typename Make>
  void nights(int count, Make make) {
    for (int number = 1; number <= count; ++number) append_night(scratch.path(), night(number, {make(number)}), true);
  }
  Comparison tonight(int number, const TestResult& test) {
    run = night(number, {test});
    return compare(run, read_history(scratch.path(), run.started));
  }
  static TestResult taking(double seconds) {
    auto test = passing("T.a");
    test.seconds = seconds;
    return test;
  }

  Scratch scratch;
  RunResult run;
};

TEST_F(CompareTest, AFailureAfterAPassIsNew) {
  nights(3, [](int) { return passing("T.a"); });
  const auto changes = tonight(4, failing("T.a"));
  ASSERT_THAT(changes.new_failures, SizeIs(1));
  EXPECT_EQ(changes.new_failures[0].since, started(4));
  EXPECT_THAT(changes.still_failing, IsEmpty());
}

TEST_F(CompareTest, AFailureOfATestWithoutAPastIsNew) {
  EXPECT_THAT(tonight(1, failing("T.a")).new_failures, SizeIs(1));
}

TEST_F(CompareTest, AFailureThatLastsIsToldWithItsFirstNightAndCommit) {
  nights(5, [](int number) { return number < 3 ? passing("T.a") : failing("T.a"); });
  const auto changes = tonight(6, failing("T.a"));
  EXPECT_THAT(changes.new_failures, IsEmpty());
  ASSERT_THAT(changes.still_failing, SizeIs(1));
  EXPECT_EQ(changes.still_failing[0].nights, 4U);
  EXPECT_EQ(changes.still_failing[0].since, started(3));
  EXPECT_EQ(changes.still_failing[0].commit, night(3, {}).fact("commit"));
}

TEST_F(CompareTest, APassAfterAFailureIsFixedAndAFlakeIsNot) {
  nights(2, [](int) { return failing("T.a"); });
  EXPECT_THAT(tonight(3, passing("T.a")).fixed, SizeIs(1));
  auto flaky = failing("T.a");
  flaky.outcome = Outcome::flaky;
  const auto changes = tonight(3, flaky);
  EXPECT_THAT(changes.fixed, IsEmpty());
  EXPECT_THAT(changes.flaky, SizeIs(1));
}

TEST_F(CompareTest, ATestThatIsLastinglySlowerIsARegression) {
  nights(19, [](int number) { return taking((number < 16 ? 0.50 : 0.60) + 0.001 * (number % 3)); });
  const auto changes = tonight(20, taking(0.6));
  ASSERT_THAT(changes.slower, SizeIs(1));
  EXPECT_NEAR(changes.slower[0].before, 0.501, 0.0011);
  EXPECT_NEAR(changes.slower[0].after, 0.6, 0.0021);
  EXPECT_LT(changes.slower[0].p, 0.0005);
  EXPECT_THAT(changes.regressions, ElementsAre("1 slowdown"));
}

TEST_F(CompareTest, OneNoisyNightIsNoAlarm) {
  nights(19, [](int number) { return taking(0.5 + 0.001 * (number % 3)); });
  EXPECT_THAT(tonight(20, taking(5)).slower, IsEmpty());
}

TEST_F(CompareTest, TwoNoisyNightsAreNoAlarm) {
  nights(19, [](int number) { return taking(number == 18 ? 3.0 : 0.5 + 0.001 * (number % 3)); });
  EXPECT_THAT(tonight(20, taking(5)).slower, IsEmpty());
}

TEST_F(CompareTest, LessThanATenthIsNoAlarmHoweverCertain) {
  nights(19, [](int number) { return taking(number < 16 ? 0.5 : 0.54); });
  EXPECT_THAT(tonight(20, taking(0.54)).slower, IsEmpty());
}

TEST_F(CompareTest, AFewMillisecondsAreNoAlarmHoweverManyPercent) {
  nights(19, [](int number) { return taking(number < 16 ? 0.002 : 0.009); });
  EXPECT_THAT(tonight(20, taking(0.009)).slower, IsEmpty());
}

TEST_F(CompareTest, NoiseAsWideAsTheChangeIsNoAlarm) {
  nights(19, [](int number) { return taking(0.5 + 0.1 * (number * 7 % 5)); });
  EXPECT_THAT(tonight(20, taking(0.9)).slower, IsEmpty());
}

TEST_F(CompareTest, TheTimeOfAFailureCountsForNothing) {
  nights(19, [](int number) {
    auto test = number < 10 ? failing("T.a") : taking(0.6);
    if (number < 10) test.seconds = 0.1;
    return test;
  });
  EXPECT_THAT(tonight(20, taking(0.6)).slower, IsEmpty());
}

TEST_F(CompareTest, AThroughputIsWorseWhenItFalls) {
  for (int number = 1; number < 20; ++number) {
    auto earlier = night(number, {});
    earlier.figures = {{"tcp", "B/s", number < 16 ? 2e9 + number : 1.5e9 + number, 0, 0}};
    append_night(scratch.path(), earlier, true);
  }
  run = night(20, {passing("T.a")});
  run.figures = {{"tcp", "B/s", 1.5e9, 0, 0}};
  EXPECT_THAT(compare(run, read_history(scratch.path(), run.started)).slower_figures, SizeIs(1));
  run.figures[0].value = 3e9;
  EXPECT_THAT(compare(run, read_history(scratch.path(), run.started)).slower_figures, IsEmpty());
}

TEST_F(CompareTest, CoverageThatFallsByMoreThanAPointOrBelowTheFloorIsARegression) {
  auto before = night(1, {passing("T.a")});
  before.coverage = {{"src/sys", 1000, 900}};
  append_night(scratch.path(), before, true);
  run = night(2, {passing("T.a")});
  const auto regressions = [&](std::size_t hit) {
    run.coverage = {{"src/sys", 1000, hit}};
    return compare(run, read_history(scratch.path(), run.started)).regressions;
  };
  EXPECT_THAT(regressions(895), IsEmpty());
  EXPECT_THAT(regressions(885), ElementsAre("coverage fell by 1.5 points"));
  EXPECT_THAT(regressions(840), ElementsAre(HasSubstr("below 85%"), HasSubstr("fell by 6.0")));
}

TEST_F(CompareTest, ATestThatDoesNotExistAnyMoreIsNamed) {
  nights(2, [](int) { return passing("T.a"); });
  EXPECT_THAT(tonight(3, passing("T.b")).gone, ElementsAre("suite-vip:T.a"));
}

TEST_F(CompareTest, TonightItselfAndLaterNightsAreNoPast) {
  nights(9, [](int) { return failing("T.a"); });
  EXPECT_THAT(tonight(1, failing("T.a")).new_failures, SizeIs(1));
}

TEST(Range, GoesFromTheLastCommitThatWasGoodToTheFirstThatWasNot) {
  const Scratch scratch;
  write_sample_history(scratch.path());  // Vip.Old passes until the 9th, and fails from the 10th on
  const auto run = night(13, {failing("Vip.Old"), failing("Vip.OneVipsTurns/builtin"), failing("Vip.Never")});
  const auto result = compare(run, read_history(scratch.path(), run.started));
  ASSERT_EQ(result.still_failing.size(), 1U);
  EXPECT_EQ(result.still_failing[0].passed_at, fmt::format("c{:039}", 9));
  EXPECT_EQ(result.still_failing[0].commit, fmt::format("c{:039}", 10));
  ASSERT_EQ(result.new_failures.size(), 2U);
  EXPECT_EQ(result.new_failures[0].passed_at, fmt::format("c{:039}", 12));
  EXPECT_EQ(result.new_failures[1].passed_at, "");
  ASSERT_TRUE(result.last_green);
  EXPECT_EQ(result.last_green->started, started(9));
  EXPECT_EQ(heading_of_new_failures(result), "2 new failures");
  EXPECT_EQ(heading_of_new_failures(compare(run, {})), "3 failures");
}

TEST_F(CompareTest, ANightWithoutTheTestIsNotTheLastThatWasGood) {
  nights(4, [](int number) {
    auto test = number == 1 ? passing("T.a") : failing("T.a");
    if (number == 2) test.outcome = Outcome::skipped;
    return test;
  });
  const auto changes = tonight(5, failing("T.a"));
  ASSERT_THAT(changes.still_failing, SizeIs(1));
  EXPECT_EQ(changes.still_failing[0].commit, night(3, {}).fact("commit"));
  EXPECT_EQ(changes.still_failing[0].passed_at, night(1, {}).fact("commit"));
}

TEST(Range, NeedsTwoCommits) {
  EXPECT_EQ(commits_between("aaaaaaaaaaaaaa", "bbbbbbbbbbbbbb"), "git log aaaaaaaaaa..bbbbbbbbbb");
  EXPECT_EQ(commits_between("a", "a"), "");
  EXPECT_EQ(commits_between("", "b"), "");
  EXPECT_EQ(commits_between("a", ""), "");
}

}  // namespace
}  // namespace knetsim::report
