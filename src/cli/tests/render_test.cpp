#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "fakes.h"
#include "progress.h"
#include "result.h"
#include "text.h"

namespace knetsim::cli {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TestResult passed(const std::string& test, std::vector<StepEnded> steps, double seconds = 0.25) {
  return {"suite-readme", test, Verdict::passed, seconds, {}, std::move(steps), ""};
}

TestResult failed(const std::string& test) {
  return {
      "suite-readme",
      test,
      Verdict::failed,
      12.5,
      {{"suites/readme_suite.cpp", 42, "Value of: c1\nExpected: can ping c2\n  Actual: c1, in short: c1 can't ping c2"},
       {"", 0, "killed by SIGSEGV"}},
      {{"C0w1/c1", "C0w2/c2", "ping 11.13.0.2", 10, false}},
      "/out/readme/vip/evidence"};
}

std::vector<PlannedCheck> plan() {
  return {{"pods", "Simulate pods inside workers", {{"suite-readme", "Readme.pods"}}},
          {"pod-to-pod",
           "Achieve pod-pod connectivity",
           {{"suite-readme", "Readme.far"}, {"suite-readme", "Readme.near"}}}};
}

RunResult run_of(std::vector<CheckResult> checks) {
  RunResult run;
  run.checks = std::move(checks);
  run.seconds = 1.5;
  return run;
}

std::string summary(const RunResult& run, std::size_t columns = 0, bool color = false) {
  std::ostringstream out;
  print_summary(run, {out, out, false, columns}, Style(color));
  return out.str();
}

std::string progress(const std::vector<TestResult>& results, std::size_t columns = 0, bool color = false,
                     bool verbose = false) {
  std::ostringstream out;
  Progress shown({out, out, false, columns}, Style(color), verbose, plan());
  for (const auto& result : results) {
    shown.test_started(result.test);
    shown.tick();
    shown.test_ended(result);
  }
  return out.str();
}

TEST(Progress, ShowsALineForEachCheckAndItsActionsInAFile) {
  EXPECT_EQ(
      progress({passed("Readme.pods", {{"C0w1", "", "ip link", 0.001, true}}),
                passed("Readme.far", {{"C0w1/c1", "C0w2/c2", "ping 11.13.0.2", 0.031, true}}), failed("Readme.near")}),
      "[1/2] ✓ pods         0.25 s  Simulate pods inside workers\n"
      "        ✓ C0w1: ip link  0.00 s\n"
      "[2/2] ✗ pod-to-pod   12.8 s  Achieve pod-pod connectivity\n"
      "        ✓ C0w1/c1 -> C0w2/c2: ping 11.13.0.2  0.03 s\n"
      "        ✗ C0w1/c1 -> C0w2/c2: ping 11.13.0.2  10.0 s\n"
      "        c1 can't ping c2\n"
      "        killed by SIGSEGV\n");
}

TEST(Progress, WaitsWithACheckForItsLastTest) { EXPECT_EQ(progress({passed("Readme.far", {})}), ""); }

TEST(Progress, ShowsTheFirstActionsAndEveryFailedOneUnlessItIsVerbose) {
  std::vector<StepEnded> steps(10, {"a", "b", "ping", 0, true});
  steps.push_back({"a", "c", "lost", 0, false});
  const auto brief = progress({passed("Readme.pods", steps)});
  EXPECT_THAT(brief, HasSubstr("… and 6 actions more"));
  EXPECT_THAT(brief, HasSubstr("✗ a -> c: lost"));
  EXPECT_THAT(progress({passed("Readme.pods", steps)}, 0, false, true), Not(HasSubstr("more")));
}

TEST(Progress, FitsANarrowTerminal) {
  const std::string long_words(200, 'w');
  const auto text = progress({passed("Readme.pods", {{"C0w1/c1", "C0w2/c2", long_words, 0.031, true}})}, 50);
  for (const auto& line : split_lines(text)) EXPECT_LE(width(line), 50U) << line;
  EXPECT_THAT(text, HasSubstr("…"));
}

TEST(Progress, ColoursOnlyWhenTold) {
  EXPECT_THAT(progress({failed("Readme.pods")}, 0, true), HasSubstr("\x1b[31m✗\x1b[0m"));
  EXPECT_THAT(progress({failed("Readme.pods")}, 0, false), Not(HasSubstr("\x1b")));
}

TEST(Progress, SaysOnATerminalWhatIsGoingOnAndTakesItAway) {
  std::ostringstream out;
  Progress shown({out, out, true, 60}, Style(false), false, plan());
  shown.test_started("Readme.pods");
  shown.step_started({"C0w1/c1", "C0w2/c2", "ping 11.13.0.2"});
  shown.tick();
  EXPECT_THAT(out.str(), HasSubstr("[1/2] pods  0.0 s  C0w1/c1 -> C0w2/c2: ping 11.13.0.2"));
  shown.test_ended(passed("Readme.pods", {}));
  EXPECT_THAT(out.str(), HasSubstr("\r\x1b[2K[1/2] ✓ pods"));
}

TEST(Summary, OfAGreenRunIsATableAndOneLine) {
  const auto text =
      summary(run_of({{"pods", "Simulate pods inside workers", {passed("Readme.pods", {{"a", "b", "c", 0, true}})}},
                      {"vip", "Reach the VIP", {passed("Readme.vip", {}, 11)}}}));
  EXPECT_EQ(text,
            "\n"
            "  #  check  verdict    actions   seconds  the README says\n"
            "  1  pods   ✓ passed         1      0.25  Simulate pods inside workers\n"
            "  2  vip    ✓ passed         0     11.00  Reach the VIP\n"
            "\n"
            "✓ 2 of 2 checks passed; 1.50 s\n");
}

TEST(Summary, RepeatsOnlyTheFailuresWithReasonAndEvidence) {
  const auto text = summary(run_of(
      {{"pods", "Simulate pods", {passed("Readme.pods", {})}}, {"vip", "Reach the VIP", {failed("Readme.vip")}}}));
  EXPECT_EQ(text,
            "\n"
            "  #  check  verdict    actions   seconds  the README says\n"
            "  1  pods   ✓ passed         0      0.25  Simulate pods\n"
            "  2  vip    ✗ failed         1     12.50  Reach the VIP\n"
            "\n"
            "✗ vip: Reach the VIP\n"
            "  Readme.vip failed (suite-readme)\n"
            "    c1 can't ping c2\n"
            "    suites/readme_suite.cpp:42:\n"
            "      Value of: c1\n"
            "      Expected: can ping c2\n"
            "        Actual: c1, in short: c1 can't ping c2\n"
            "    killed by SIGSEGV\n"
            "    evidence: /out/readme/vip/evidence\n"
            "\n"
            "again, these alone: knetsim check --only vip\n"
            "\n"
            "✗ 1 of 2 checks passed, 1 failed; 1.50 s\n");
}

TEST(Summary, TellsAReasonThatManyChecksShareOnce) {
  const auto text = summary(
      run_of({{"vip", "Reach the VIP", {failed("Readme.vip")}}, {"cli", "The prompt", {failed("Readme.cli")}}}));
  EXPECT_EQ(text.find("killed by SIGSEGV"), text.rfind("killed by SIGSEGV"));
  EXPECT_THAT(text, HasSubstr("  Readme.cli failed (suite-readme)\n    for the same reason as vip\n"));
}

TEST(Summary, TakesReasonsThatDifferInAddressesAloneForOne) {
  auto one = failed("Readme.vip");
  auto other = failed("Readme.cli");
  one.reasons = {{"a.cpp", 1, "w1/c1 can't ping 11.10.0.2: 1 sent, 0 received"}};
  other.reasons = {{"a.cpp", 2, "w1/c1 can't ping 11.13.0.2: 1 sent, 0 received"}};
  auto third = failed("Readme.pods");
  third.reasons = {{"a.cpp", 3, "w2/c1 can't ping 11.13.0.2: 1 sent, 0 received"}};
  const auto text = summary(run_of({{"vip", "", {one}}, {"cli", "", {other}}, {"pods", "", {third}}}));
  EXPECT_THAT(text, HasSubstr("    w1/c1 can't ping 11.10.0.2: 1 sent, 0 received\n    a.cpp:1\n"));
  EXPECT_THAT(text, HasSubstr("  Readme.cli failed (suite-readme)\n    for the same reason as vip\n"));
  EXPECT_THAT(text, HasSubstr("    w2/c1 can't ping"));
}

TEST(Summary, CallsASkippedCheckNotProven) {
  auto test = passed("Readme.vip", {});
  test.verdict = Verdict::skipped;
  test.reasons.push_back({"", 0, "no router here"});
  const auto text = summary(run_of({{"vip", "Reach the VIP", {test}}}));
  EXPECT_THAT(text, HasSubstr("– skipped"));
  EXPECT_THAT(text, HasSubstr("no router here"));
  EXPECT_THAT(text, HasSubstr("✗ 0 of 1 check passed, 1 skipped: not proven"));
}

TEST(Summary, IsRedWhenOnlyTheSuiteItselfMisbehaved) {
  auto run = run_of({{"pods", "Simulate pods", {passed("Readme.pods", {})}}});
  run.problems.push_back({"suite-readme", "its totals don't agree"});
  EXPECT_FALSE(run.green());
  EXPECT_THAT(summary(run), HasSubstr("✗ suite-readme itself\n    its totals don't agree\n"));
  EXPECT_THAT(summary(run), HasSubstr("✗ 1 of 1 check passed, 1 problem of the suites"));
}

TEST(Summary, SaysWhatAnInterruptLeftUndone) {
  auto run = run_of({});
  run.ending = Ending::interrupted;
  run.signal = SIGINT;
  run.not_run = {"pods", "vip"};
  EXPECT_THAT(summary(run), HasSubstr("interrupted by SIGINT"));
  EXPECT_THAT(summary(run), HasSubstr("0 of 2 checks passed, not run: pods vip"));
}

TEST(Summary, OfNoCheckAtAllIsNotGreen) { EXPECT_FALSE(run_of({}).green()); }

TEST(Summary, TakesACheckThatNoTestProvedForFailed) {
  EXPECT_EQ((CheckResult{"vip", "Reach the VIP", {}}).verdict(), Verdict::failed);
}

TEST(Summary, KeepsItsTableWithinANarrowTerminal) {
  const auto text = summary(run_of({{"pods", std::string(200, 'w'), {passed("Readme.pods", {})}}}), 70);
  for (const auto& line : split_lines(text)) EXPECT_LE(width(line), 70U) << line;
}

TEST(Style, FollowsNoColorAndTheOption) {
  std::ostringstream out;
  const Terminal terminal{out, out, true, 80};
  const Terminal file{out, out, false, 0};
  {
    const Environment environment(Variables{{"NO_COLOR", ""}});
    EXPECT_NE(Style::choose(ColorMode::automatic, terminal).red("x"), "x");
  }
  const Environment environment(Variables{{"NO_COLOR", "1"}});
  EXPECT_EQ(Style::choose(ColorMode::automatic, terminal).red("x"), "x");
  EXPECT_NE(Style::choose(ColorMode::always, file).red("x"), "x");
  EXPECT_EQ(Style::choose(ColorMode::never, terminal).red("x"), "x");
}

TEST(Json, HoldsEveryFactOfARun) {
  auto run = run_of({{"vip", "Reach the VIP", {failed("Readme.vip")}}});
  run.not_run = {"cli"};
  run.problems.push_back({"suite-readme", "bytes \xff"});
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_EQ(json["schema"], "knetsim.results/1");
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_THAT(json["started"].get<std::string>(), StartsWith("1970-01-01T00:00:00"));
  EXPECT_EQ(json["totals"], (nlohmann::json{{"passed", 0}, {"failed", 1}, {"skipped", 0}, {"not_run", 1}}));
  const auto& test = json["checks"][0]["tests"][0];
  EXPECT_EQ(test["verdict"], "failed");
  EXPECT_EQ(test["why"], "c1 can't ping c2");
  EXPECT_EQ(test["reasons"][0]["line"], 42);
  EXPECT_EQ(test["steps"][0]["to"], "C0w2/c2");
  EXPECT_EQ(test["evidence"], "/out/readme/vip/evidence");
  EXPECT_EQ(json["problems"][0]["program"], "suite-readme");
}

}  // namespace
}  // namespace knetsim::cli
