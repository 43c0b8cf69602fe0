#include "tally.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knetsim::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kExit0 = 0;
constexpr int kExit1 = 1 << 8;
constexpr int kExit2 = 2 << 8;
constexpr int kExit77 = 77 << 8;
constexpr int kExit124 = 124 << 8;
constexpr int kSegfault = 11;

class TallyTest : public testing::Test {
 protected:
  void line(const std::string& text) { tally.on_line({text, true}); }
  void run_started(int tests = 2) {
    line(fmt::format(R"({{"event":"run started","schema":"knetsim.events/1","program":"s","tests":{}}})", tests));
  }
  void started(const std::string& test) { line(fmt::format(R"({{"event":"test started","test":"{}"}})", test)); }
  void ended(const std::string& test, const std::string& verdict = "passed") {
    line(fmt::format(R"({{"event":"test ended","test":"{}","verdict":"{}","seconds":1,"reasons":[]}})", test, verdict));
  }
  void ran(const std::string& test, const std::string& verdict = "passed") {
    started(test);
    ended(test, verdict);
  }
  void run_ended(int passed, int failed = 0, int skipped = 0) {
    line(fmt::format(R"({{"event":"run ended","passed":{},"failed":{},"skipped":{},"seconds":2}})", passed, failed,
                     skipped));
  }
  void end(int wait_status, const std::optional<std::string>& why = {}) {
    tally.on_end(ExitStatus(wait_status), why, "last words");
  }
  std::vector<Verdict> verdicts() const {
    std::vector<Verdict> result;
    for (const auto& test : tally.results()) result.push_back(test.verdict);
    return result;
  }
  std::string reasons(std::size_t test) const {
    std::string text;
    for (const auto& reason : tally.results().at(test).reasons) text += reason.text + "\n";
    return text;
  }

  Listener nobody;
  Tally tally{"suite-s", {"S.a", "S.b"}, nobody};
};

TEST_F(TallyTest, BelievesASuiteWhoseWordsAllAgree) {
  run_started();
  ran("S.a");
  ran("S.b");
  run_ended(2);
  end(kExit0);
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::passed, Verdict::passed));
  EXPECT_THAT(tally.problems(), IsEmpty());
  EXPECT_THAT(tally.left(), IsEmpty());
}

TEST_F(TallyTest, TakesExitCode77OnlyFromASuiteThatSkippedEverything) {
  run_started();
  ran("S.a", "skipped");
  ran("S.b", "skipped");
  run_ended(0, 0, 2);
  end(kExit77);
  EXPECT_THAT(tally.problems(), IsEmpty());
}

TEST_F(TallyTest, DoubtsExitCode77AfterATestThatPassed) {
  run_started();
  ran("S.a", "skipped");
  ran("S.b");
  run_ended(1, 0, 1);
  end(kExit77);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("exit code 77")));
}

TEST_F(TallyTest, DoubtsAnExitCodeThatContradictsTheTests) {
  run_started();
  ran("S.a");
  ran("S.b");
  run_ended(2);
  end(kExit1);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("0 of its tests failed, yet it ended with exit code 1")));
}

TEST_F(TallyTest, DoubtsExitCode0AfterAFailure) {
  run_started();
  ran("S.a", "failed");
  ran("S.b");
  run_ended(1, 1);
  end(kExit0);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("1 of its tests failed")));
}

TEST_F(TallyTest, DoubtsTotalsThatContradictTheTests) {
  run_started();
  ran("S.a");
  run_ended(2);
  end(kExit0);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("(2 passed, 0 failed, 0 skipped)")));
  EXPECT_THAT(tally.left(), ElementsAre("S.b"));
}

TEST_F(TallyTest, FailsATestThatSaysItPassedAfterItReportedAFailure) {
  run_started();
  started("S.a");
  line(R"({"event":"failure","test":"S.a","file":"a.cpp","line":3,"text":"boom"})");
  ended("S.a");
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed));
  EXPECT_THAT(reasons(0), HasSubstr("boom"));
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("reported a failure")));
}

TEST_F(TallyTest, FailsATestThatSaysItPassedAfterAStepFailed) {
  run_started();
  started("S.a");
  line(R"({"event":"step ended","from":"a","to":"b","what":"ping","seconds":1,"ok":false})");
  ended("S.a");
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed));
}

TEST_F(TallyTest, BlamesACrashOnTheTestAndTheStepInProgress) {
  run_started();
  ran("S.a");
  started("S.b");
  line(R"({"event":"step started","from":"w1","to":"w2","what":"outer"})");
  line(R"({"event":"step started","from":"w1","to":"w2","what":"inner"})");
  line(R"({"event":"step ended","from":"w1","to":"w2","what":"inner","seconds":1,"ok":true})");
  end(kSegfault);
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::passed, Verdict::failed));
  EXPECT_THAT(reasons(1), HasSubstr("in the midst of w1 -> w2: outer"));
  EXPECT_THAT(reasons(1), HasSubstr("SIGSEGV"));
  EXPECT_THAT(reasons(1), HasSubstr("last words"));
  EXPECT_THAT(tally.left(), IsEmpty());
}

TEST_F(TallyTest, LeavesTheTestsAfterACrashToAnotherProcess) {
  run_started();
  started("S.a");
  end(kSegfault);
  EXPECT_THAT(tally.left(), ElementsAre("S.b"));
  EXPECT_TRUE(tally.worth_resuming());
}

TEST_F(TallyTest, DoesNotTryAgainWhatDiedBeforeItsFirstTest) {
  run_started();
  end(kSegfault);
  EXPECT_FALSE(tally.worth_resuming());
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("before its first test")));
  tally.give_up("never ran");
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed, Verdict::failed));
}

TEST_F(TallyTest, FailsTheTestDuringWhichTheProgramJustEnded) {
  run_started();
  started("S.a");
  end(kExit0);
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed));
  EXPECT_THAT(reasons(0), HasSubstr("in the midst of it (exit code 0)"));
}

TEST_F(TallyTest, TellsAHangThatTheSuiteItselfNoticed) {
  run_started();
  started("S.a");
  end(kExit124);
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed));
  EXPECT_THAT(reasons(0), HasSubstr("it hung, and its own watchdog ended it"));
  EXPECT_THAT(tally.left(), ElementsAre("S.b"));
}

TEST_F(TallyTest, CallsASuiteThatSaysNothingByItsName) {
  end(kExit0);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("without reporting anything")));
  EXPECT_THAT(tally.left(), ElementsAre("S.a", "S.b"));
}

TEST_F(TallyTest, DoesNotBelieveASuiteThatReportsNoEnd) {
  run_started();
  ran("S.a");
  ran("S.b");
  end(kExit0);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("without reporting its end")));
}

TEST_F(TallyTest, TellsARefusalToRunFromAFailure) {
  end(kExit2);
  EXPECT_TRUE(tally.refused());
  EXPECT_THAT(tally.problems(), IsEmpty());
}

TEST_F(TallyTest, TakesExitCode2AfterATestForAFailure) {
  run_started();
  ran("S.a");
  end(kExit2);
  EXPECT_FALSE(tally.refused());
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("exit code 2")));
}

TEST_F(TallyTest, NoticesFewerTestsThanWereAskedFor) {
  run_started(1);
  ran("S.a");
  run_ended(1);
  end(kExit0);
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("asked for 2 tests and announced 1")));
  EXPECT_THAT(tally.left(), ElementsAre("S.b"));
}

TEST_F(TallyTest, NoticesTestsThatNobodyAskedForAndTestsRunTwice) {
  run_started();
  ran("S.other");
  ran("S.a");
  ran("S.a");
  EXPECT_THAT(tally.problems(), Contains(HasSubstr("S.other, which nobody asked for")));
  EXPECT_THAT(tally.problems(), Contains(HasSubstr("S.a twice")));
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::passed));
}

TEST_F(TallyTest, FailsATestThatAnotherOneInterrupts) {
  run_started();
  started("S.a");
  started("S.b");
  ended("S.a");
  ended("S.b");
  EXPECT_THAT(verdicts(), ElementsAre(Verdict::failed, Verdict::passed));
  EXPECT_THAT(tally.problems(), Contains(HasSubstr("S.b started while S.a hadn't ended")));
}

TEST_F(TallyTest, KeepsTheFirstOfEndlessNonsense) {
  for (int i = 0; i < 1000; ++i) line(fmt::format("nonsense {}", i));
  EXPECT_EQ(tally.problems().size(), 10U);
  EXPECT_THAT(tally.problems().front(), HasSubstr("nonsense 0"));
}

TEST_F(TallyTest, SaysOfALongLineThatItIsTooLongAndOfHalfALineThatItWasCutOff) {
  tally.on_line({std::string(kLongestLine, 'x'), false});
  tally.on_line({"{\"event\":", false});
  EXPECT_THAT(tally.problems(), ElementsAre(HasSubstr("too long"), HasSubstr("cut off")));
}

TEST_F(TallyTest, NamesTheReasonWhyASuiteWasKilled) {
  run_started();
  started("S.a");
  end(9, "nothing ended within 60 s");
  EXPECT_THAT(reasons(0), HasSubstr("killed: nothing ended within 60 s"));
}

}  // namespace
}  // namespace knetsim::cli
