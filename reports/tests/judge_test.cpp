#include "judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.h"

namespace knetsim::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Verdict = GtestResult::Verdict;

class JudgeTest : public testing::Test {
 protected:
  static Attempt attempt(Outcome ctest, std::optional<Verdict> gtest, const std::string& output = "",
                         const std::string& ending = "") {
    Attempt made{{.name = "s:T.a", .outcome = ctest, .seconds = 3, .output = output, .message = {}},
                 ending,
                 {},
                 "xml/s.T.a.xml"};
    if (gtest) made.gtest = GtestResult{*gtest, {}, {}};
    if (gtest == Verdict::failed) made.gtest->reasons = {{"a.cpp", 1, "1 is not 2"}};
    return made;
  }
  const TestResult& judge(const Attempt& made) {
    judge_attempt(registered, made, test, problems);
    return test;
  }
  std::string reasons() const {
    std::string text;
    for (const auto& reason : test.reasons) text += reason.text + "\n";
    return text;
  }

  Registered registered{"s:T.a", "s.T.a.xml", {}, 60};
  TestResult test{.name = "s:T.a"};
  std::vector<std::string> problems;
};

TEST_F(JudgeTest, BelievesWitnessesThatAgree) {
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::passed)).outcome, Outcome::passed);
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(JudgeTest, ShowsTheReasonsOfAFailedAssertionAlone) {
  EXPECT_EQ(judge(attempt(Outcome::failed, Verdict::failed, "much output", "Failed")).outcome, Outcome::failed);
  EXPECT_EQ(reasons(), "1 is not 2\n");
}

TEST_F(JudgeTest, CallsACrashACrashWithItsLastWordsButWithoutTheFrameAroundThem) {
  judge(attempt(Outcome::failed, {}, "Note: Google Test filter = x\n[==========] Running\nlast words\n", "SEGFAULT"));
  EXPECT_EQ(reasons(), "crashed: SEGFAULT; the end of its output:\nlast words\n\n");
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(JudgeTest, CallsAHangAHangWhoeverEndedIt) {
  judge(attempt(Outcome::failed, {}, "", "Timeout"));
  EXPECT_THAT(reasons(), HasSubstr("hung: it was ended after 3.00 s"));
  judge(attempt(Outcome::failed, {}, "knetsim: the test hangs: not over after 48 s\n", "Failed"));
  EXPECT_THAT(reasons(), HasSubstr("hung: "));
}

TEST_F(JudgeTest, TellsOfAFailureThatTheTestsOwnResultDoesNotKnow) {
  judge(attempt(Outcome::failed, Verdict::passed, "LeakSanitizer: detected memory leaks", "Failed"));
  EXPECT_THAT(reasons(), AllOf(HasSubstr("its own result says passed"), HasSubstr("memory leaks")));
}

TEST_F(JudgeTest, FailsAPassThatLeftNoResultOrAnotherOne) {
  EXPECT_EQ(judge(attempt(Outcome::passed, {})).outcome, Outcome::failed);
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::skipped)).outcome, Outcome::failed);
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::empty)).outcome, Outcome::failed);
  EXPECT_THAT(problems, SizeIs(3));
}

TEST_F(JudgeTest, AsksNoResultFileOfATestThatWritesNone) {
  registered.xml.clear();
  EXPECT_EQ(judge(attempt(Outcome::passed, {})).outcome, Outcome::passed);
}

TEST_F(JudgeTest, BelievesAResultFileOfItsOwnCaseAlone) {
  struct Row {
    std::string filter;
    std::vector<std::string> ran;
    bool believed;
  };
  const std::vector<Row> rows{{"T.a", {"T.a"}, true},
                              {"T.a", {"T.b"}, false},
                              {"T.a", {"Other.a"}, false},
                              {"T.a", {"T.a", "T.a"}, false},
                              {"T.a", {"T.a", "T.b"}, false},
                              {"Flavours/T.a/real", {"Flavours/T.a/real"}, true},
                              {"Flavours/T.a/real", {"Flavours/T.a/builtin"}, false},
                              {"Flavours/T.a/real", {"T.a/real"}, false},
                              {"T.a", {"T.aa"}, false},
                              {"T.a", {"t.a"}, false},
                              {"T.*", {"T.a", "T.b"}, true},
                              {"T.*-T.b", {"T.a", "T.c"}, true},
                              {"T.*-T.b", {"T.a", "T.b"}, false},
                              {"T.a:U.?", {"T.a", "U.c"}, true},
                              {"T.a:U.?", {"U.cc"}, false},
                              {"", {"Any.thing"}, true}};
  for (const auto& [filter, ran, believed] : rows) {
    registered.filter = filter;
    auto made = attempt(Outcome::passed, Verdict::passed);
    made.gtest->ran = ran;
    test = {.name = "s:T.a"};
    problems.clear();
    EXPECT_EQ(judge(made).outcome, believed ? Outcome::passed : Outcome::failed)
        << filter << " by " << testing::PrintToString(ran);
    EXPECT_THAT(problems, SizeIs(believed ? 0 : 1));
    // Nor does it explain a failure.
    made.ctest.outcome = Outcome::failed;
    made.gtest->verdict = Verdict::failed;
    made.gtest->reasons = {{"a.cpp", 1, "1 is not 2"}};
    judge(made);
    EXPECT_EQ(reasons().find("1 is not 2") != std::string::npos, believed) << reasons();
  }
}

TEST_F(JudgeTest, BelievesAResultFileOfItsOwnProgramAlone) {
  registered.program = "suite-vip";
  auto made = attempt(Outcome::passed, Verdict::passed);
  made.gtest->properties["program"] = "suite-vip";
  EXPECT_EQ(judge(made).outcome, Outcome::passed);
  made.gtest->properties["program"] = "suite-cni";
  EXPECT_EQ(judge(made).outcome, Outcome::failed);
  EXPECT_THAT(reasons(), HasSubstr("is of the program \"suite-cni\", not suite-vip"));
}

TEST_F(JudgeTest, BelievesAResultFileOfThisRunAlone) {
  auto made = attempt(Outcome::passed, Verdict::passed);
  made.not_before = "2026-11-30T07:11:39";
  made.gtest->started = "2026-11-30T07:11:39.329";
  EXPECT_EQ(judge(made).outcome, Outcome::passed);
  made.gtest->started = "2026-11-30T07:11:38.999";
  EXPECT_EQ(judge(made).outcome, Outcome::failed);
  EXPECT_THAT(reasons(), HasSubstr("is of an earlier run"));
}

TEST_F(JudgeTest, NamesASkipWithItsReasonAndWhatCouldAllowIt) {
  auto run = night(1, {{.name = "s:T.a", .outcome = Outcome::skipped, .reasons = {{"a.cpp", 3, "no daemon"}}}});
  const std::vector<Reported> reported{{.name = "s:T.a", .output = {}, .message = {}}};
  judge_run({registered}, reported, AllowedSkips("", "skips.txt"), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: didn't run, and skips.txt doesn't allow that: no daemon"));
  run.problems.clear();
  judge_run({registered}, reported, AllowedSkips("", ""), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: didn't run, and no file of allowed skips was given (--allowed-skips): "
                                        "no daemon"));
}

TEST_F(JudgeTest, TellsOfATestThatIsRegisteredTwice) {
  auto run = night(1, {passing("T.a")});
  judge_run({registered, registered}, {{.name = "s:T.a", .outcome = Outcome::passed, .output = {}, .message = {}}},
            AllowedSkips("", ""), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: registered more than once"));
}

TEST_F(JudgeTest, CallsAFailureThatPassesWhenRunAgainFlakyWithItsReasons) {
  judge(attempt(Outcome::failed, Verdict::failed));
  judge_retry(registered, attempt(Outcome::passed, Verdict::passed), test);
  EXPECT_EQ(test.outcome, Outcome::flaky);
  EXPECT_EQ(reasons(), "1 is not 2\n");
}

TEST_F(JudgeTest, CallsAFailureThatFailsAgainOrOnlySeemsToPassAFailure) {
  judge(attempt(Outcome::failed, Verdict::failed));
  judge_retry(registered, attempt(Outcome::failed, Verdict::failed), test);
  EXPECT_EQ(test.outcome, Outcome::failed);
  judge_retry(registered, attempt(Outcome::passed, {}), test);
  EXPECT_EQ(test.outcome, Outcome::failed);
}

TEST_F(JudgeTest, NeverCountsAFlakyTestAsPassed) {
  auto flaky = passing("T.a");
  flaky.outcome = Outcome::flaky;
  EXPECT_THAT(reasons_for_red(night(1, {flaky})), ElementsAre(HasSubstr("1 test failed, then passed")));
  EXPECT_EQ(night(1, {flaky}).count(Outcome::passed), 0U);
}

TEST_F(JudgeTest, IsGreenOnlyIfSomethingRanAndNothingIsWrong) {
  EXPECT_THAT(reasons_for_red(night(1, {passing("T.a")})), IsEmpty());
  EXPECT_THAT(reasons_for_red(night(1, {})), ElementsAre("no test ran"));
  EXPECT_THAT(reasons_for_red(night(1, {passing("T.a")}), {"1 slowdown"}), ElementsAre("1 slowdown"));
}

}  // namespace
}  // namespace knetsim::report
