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

TEST_F(JudgeTest, believes_witnesses_that_agree) {
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::passed)).outcome, Outcome::passed);
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(JudgeTest, shows_the_reasons_of_a_failed_assertion_alone) {
  EXPECT_EQ(judge(attempt(Outcome::failed, Verdict::failed, "much output", "Failed")).outcome, Outcome::failed);
  EXPECT_EQ(reasons(), "1 is not 2\n");
}

TEST_F(JudgeTest, calls_a_crash_a_crash_with_its_last_words_but_without_the_frame_around_them) {
  judge(attempt(Outcome::failed, {}, "Note: Google Test filter = x\n[==========] Running\nlast words\n", "SEGFAULT"));
  EXPECT_EQ(reasons(), "crashed: SEGFAULT; the end of its output:\nlast words\n\n");
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(JudgeTest, calls_a_hang_a_hang_whoever_ended_it) {
  judge(attempt(Outcome::failed, {}, "", "Timeout"));
  EXPECT_THAT(reasons(), HasSubstr("hung: it was ended after 3.00 s"));
  judge(attempt(Outcome::failed, {}, "knetsim: the test hangs: not over after 48 s\n", "Failed"));
  EXPECT_THAT(reasons(), HasSubstr("hung: "));
}

TEST_F(JudgeTest, tells_of_a_failure_that_the_tests_own_result_does_not_know) {
  judge(attempt(Outcome::failed, Verdict::passed, "LeakSanitizer: detected memory leaks", "Failed"));
  EXPECT_THAT(reasons(), AllOf(HasSubstr("its own result says passed"), HasSubstr("memory leaks")));
}

TEST_F(JudgeTest, fails_a_pass_that_left_no_result_or_another_one) {
  EXPECT_EQ(judge(attempt(Outcome::passed, {})).outcome, Outcome::failed);
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::skipped)).outcome, Outcome::failed);
  EXPECT_EQ(judge(attempt(Outcome::passed, Verdict::empty)).outcome, Outcome::failed);
  EXPECT_THAT(problems, SizeIs(3));
}

TEST_F(JudgeTest, asks_no_result_file_of_a_test_that_writes_none) {
  registered.xml.clear();
  EXPECT_EQ(judge(attempt(Outcome::passed, {})).outcome, Outcome::passed);
}

TEST_F(JudgeTest, believes_a_result_file_of_its_own_case_alone) {
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

TEST_F(JudgeTest, believes_a_result_file_of_its_own_program_alone) {
  registered.program = "suite-vip";
  auto made = attempt(Outcome::passed, Verdict::passed);
  made.gtest->properties["program"] = "suite-vip";
  EXPECT_EQ(judge(made).outcome, Outcome::passed);
  made.gtest->properties["program"] = "suite-cni";
  EXPECT_EQ(judge(made).outcome, Outcome::failed);
  EXPECT_THAT(reasons(), HasSubstr("is of the program \"suite-cni\", not suite-vip"));
}

TEST_F(JudgeTest, names_a_skip_with_its_reason_and_what_could_allow_it) {
  auto run = night(1, {{.name = "s:T.a", .outcome = Outcome::skipped, .reasons = {{"a.cpp", 3, "no daemon"}}}});
  const std::vector<Reported> reported{{.name = "s:T.a", .output = {}, .message = {}}};
  judge_run({registered}, reported, AllowedSkips("", "skips.txt"), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: didn't run, and skips.txt doesn't allow that: no daemon"));
  run.problems.clear();
  judge_run({registered}, reported, AllowedSkips("", ""), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: didn't run, and no file of allowed skips was given (--allowed-skips): "
                                        "no daemon"));
}

TEST_F(JudgeTest, tells_of_a_test_that_is_registered_twice) {
  auto run = night(1, {passing("T.a")});
  judge_run({registered, registered}, {{.name = "s:T.a", .outcome = Outcome::passed, .output = {}, .message = {}}},
            AllowedSkips("", ""), false, run);
  EXPECT_THAT(run.problems, ElementsAre("s:T.a: registered more than once"));
}

TEST_F(JudgeTest, calls_a_failure_that_passes_when_run_again_flaky_with_its_reasons) {
  judge(attempt(Outcome::failed, Verdict::failed));
  judge_retry(registered, attempt(Outcome::passed, Verdict::passed), test);
  EXPECT_EQ(test.outcome, Outcome::flaky);
  EXPECT_EQ(reasons(), "1 is not 2\n");
}

TEST_F(JudgeTest, calls_a_failure_that_fails_again_or_only_seems_to_pass_a_failure) {
  judge(attempt(Outcome::failed, Verdict::failed));
  judge_retry(registered, attempt(Outcome::failed, Verdict::failed), test);
  EXPECT_EQ(test.outcome, Outcome::failed);
  judge_retry(registered, attempt(Outcome::passed, {}), test);
  EXPECT_EQ(test.outcome, Outcome::failed);
}

TEST_F(JudgeTest, never_counts_a_flaky_test_as_passed) {
  auto flaky = passing("T.a");
  flaky.outcome = Outcome::flaky;
  EXPECT_THAT(reasons_for_red(night(1, {flaky})), ElementsAre(HasSubstr("1 test failed, then passed")));
  EXPECT_EQ(night(1, {flaky}).count(Outcome::passed), 0U);
}

TEST_F(JudgeTest, is_green_only_if_something_ran_and_nothing_is_wrong) {
  EXPECT_THAT(reasons_for_red(night(1, {passing("T.a")})), IsEmpty());
  EXPECT_THAT(reasons_for_red(night(1, {})), ElementsAre("no test ran"));
  EXPECT_THAT(reasons_for_red(night(1, {passing("T.a")}), {"1 slowdown"}), ElementsAre("1 slowdown"));
}

}  // namespace
}  // namespace knetsim::report
