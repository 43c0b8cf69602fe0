#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "fakes.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kListing = R"({"event":"run started","schema":"knetsim.events/1","program":"liar","tests":2})"
                                 "\n"
                                 R"({"event":"test listed","test":"L.a","check":"a","title":"First"})"
                                 "\n"
                                 R"({"event":"test listed","test":"L.b","check":"b","title":"Second"})"
                                 "\n";

std::string run_started(int tests) {
  return fmt::format(
      "{{\"event\":\"run started\",\"schema\":\"knetsim.events/1\",\"program\":\"liar\",\"tests\":{}}}\n", tests);
}

std::string passed(const std::string& test) {
  return fmt::format(
      "{{\"event\":\"test started\",\"test\":\"{0}\"}}\n"
      "{{\"event\":\"test ended\",\"test\":\"{0}\",\"verdict\":\"passed\",\"seconds\":0,\"reasons\":[]}}\n",
      test);
}

std::string run_ended(int count) {
  return fmt::format("{{\"event\":\"run ended\",\"passed\":{},\"failed\":0,\"skipped\":0,\"seconds\":0}}\n", count);
}

Ran check_liar(const std::string& events, const std::string& listing = kListing) {
  return knetsim({"check", "--suite", kFakeLiar.string()}, {{"FAKE_LISTING", scratch("listing", listing).string()},
                                                            {"FAKE_EVENTS", scratch("events", events).string()},
                                                            {"FAKE_OUTPUT", "some words of its own"}});
}

TEST(Check, IsGreenWhenEveryTestPasses) {
  const auto ran = check_fake("pass");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("[1/3] ✓ first"));
  EXPECT_THAT(ran.out, HasSubstr("✓ C1w1/c1 -> C0w3/c4: wget 10.0.0.8:1028"));
  EXPECT_THAT(ran.out, HasSubstr("✓ 3 of 3 checks passed"));
  EXPECT_EQ(ran.err, "");
}

TEST(Check, FailsWithAFailingTestAndTellsFileReasonAndEvidence) {
  const auto ran = check_fake("fail");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("[2/3] ✗ middle"));
  EXPECT_THAT(ran.out, HasSubstr("✗ C0w1/c1 -> C0w2/c2: ping 11.13.0.2"));
  EXPECT_THAT(ran.out, HasSubstr("fake_suite.cpp:"));
  EXPECT_THAT(ran.out, HasSubstr("c2 never answered \xEF\xBF\xBD"));
  EXPECT_THAT(ran.out, HasSubstr("evidence: /out/evidence"));
  EXPECT_THAT(ran.out, HasSubstr("✗ 2 of 3 checks passed, 1 failed"));
}

TEST(Check, FailsWithATestThatThrows) {
  const auto ran = check_fake("throw");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("out of addresses"));
  EXPECT_THAT(ran.out, HasSubstr("✗ C0w1/c1 -> C0w2/c2"));
}

TEST(Check, IsNotGreenWithASkippedTest) {
  const auto ran = check_fake("skip");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("no router here"));
  EXPECT_THAT(ran.out, HasSubstr("2 of 3 checks passed, 1 skipped: not proven"));
}

TEST(Check, BlamesACrashOnItsTestAndRunsTheRest) {
  const auto ran = check_fake("crash");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("[2/3] ✗ middle"));
  EXPECT_THAT(ran.out, HasSubstr("SIGABRT"));
  EXPECT_THAT(ran.out, HasSubstr("in the midst of C0w1/c1 -> C0w2/c2: ping 11.13.0.2"));
  EXPECT_THAT(ran.out, HasSubstr("[3/3] ✓ last"));
}

TEST(Check, KillsATestThatHangsKeepsWhatItSaidAndRunsTheRest) {
  const auto ran = check_fake("hang", {"--timeout", "5"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("seen before the hang"));
  EXPECT_THAT(ran.out, HasSubstr("evidence: /out/of/the/hang"));
  EXPECT_THAT(ran.out, HasSubstr("killed: nothing ended within 5"));
  EXPECT_THAT(ran.out, HasSubstr("[3/3] ✓ last"));
}

TEST(Check, AsksForTheEvidenceOfTestsThatPassAndTellsWhereItIs) {
  EXPECT_THAT(check_fake("pass", {"--keep-evidence"}).out, HasSubstr("evidence: /out/kept"));
  EXPECT_THAT(check_fake("pass").out, Not(HasSubstr("evidence")));
}

TEST(Check, HandsTheChosenFlavoursToTheSuiteAndRepeatsThem) {
  const auto ran = check_fake("fail", {"--flannel", "builtin"});
  EXPECT_THAT(ran.out, HasSubstr("knetsim check --suite " + kFakeSuite.string() + " --flannel builtin --only middle"));
  EXPECT_THAT(ran.out, HasSubstr("flannel is builtin"));
}

TEST(Check, IsNotGreenWhenASuiteFailsAfterItsTestsPassed) {
  const auto ran = check_fake("leak");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("0 of its tests failed, yet it ended with exit code 1"));
}

TEST(Check, CouldNotRunWhereTheSandboxRefuses) {
  const auto json = scratch("refused.json");
  const auto ran = check_fake("refuse", {"--json", json.string()});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, HasSubstr("can't enter the sandbox: no"));
  EXPECT_THAT(ran.out, HasSubstr("remedy: sudo"));
  EXPECT_EQ(nlohmann::json::parse(read_file(json))["verdict"], "could not run");
}

TEST(Check, RunsOnlyWhatIsAskedFor) {
  const auto ran = check_fake("fail", {"--only", "last,first"});
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("[1/2] ✓ first"));
  EXPECT_THAT(ran.out, HasSubstr("[2/2] ✓ last"));
  EXPECT_THAT(ran.out, Not(HasSubstr("middle")));
}

TEST(Check, RefusesAnUnknownIdAndRunsNothing) {
  const auto ran = check_fake("pass", {"--only", "frist"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("did you mean \"first\"?"));
  EXPECT_THAT(ran.err, HasSubstr("the checks are first middle last"));
}

TEST(Check, ListsItsChecksWithoutRunningThem) {
  const auto ran = check_fake("crash", {"--list"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out,
            "first   The first of three\n"
            "middle  The one that misbehaves\n"
            "last    The last of three\n");
}

TEST(Check, IsNotMisledBySettingsOfGoogletestInTheEnvironment) {
  const Environment environment(
      Variables{{"GTEST_FILTER", "Fake.ComesFirst"}, {"GTEST_TOTAL_SHARDS", "3"}, {"GTEST_SHARD_INDEX", "0"}});
  const auto ran = check_fake("fail");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.out, HasSubstr("2 of 3 checks passed, 1 failed"));
}

TEST(Check, WritesItsResultsAsJson) {
  const auto path = scratch("results.json");
  EXPECT_EQ(check_fake("fail", {"--json", path.string()}).code, 1);
  const auto json = nlohmann::json::parse(read_file(path));
  EXPECT_EQ(json["schema"], "knetsim.results/1");
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_EQ(json["checks"].size(), 3U);
  EXPECT_EQ(json["checks"][1]["id"], "middle");
  EXPECT_EQ(json["checks"][1]["tests"][0]["evidence"], "/out/evidence");
}

TEST(Check, ShowsTheVerdictAndThenExits2WhenTheJsonCanNotBeWritten) {
  const auto ran = check_fake("pass", {"--json", "/nowhere/at/all.json"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.out, HasSubstr("✓ 3 of 3 checks passed"));
  EXPECT_THAT(ran.err, HasSubstr("/nowhere/at/all.json"));
}

TEST(Check, RefusesARealPartThatIsNotThereInsteadOfSkipping) {
  const Environment environment(Variables{{"KNETSIM_FLANNELD", "/nowhere/flanneld"}});
  const auto ran = check_fake("pass", {"--flannel", "real"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("/nowhere/flanneld"));
  EXPECT_THAT(ran.err, HasSubstr("remedy:"));
  EXPECT_EQ(check_fake("pass", {"--flannel", "reel"}).code, 2);
  EXPECT_EQ(check_fake("pass", {"--cni", "/nowhere/plugin"}).code, 2);
}

TEST(Check, TakesADirectoryOfPluginsAsWellAsAPlugin) {
  EXPECT_EQ(check_fake("pass", {"--cni", kStateDirectory}).code, 0);
}

TEST(Check, RefusesAtOnceWhatABootWouldRefuse) {
  const auto flanneld = scratch("flanneld", "#!/bin/sh\necho v0.20.0 >&2\n");
  std::filesystem::permissions(flanneld, std::filesystem::perms::all);
  const Environment environment(Variables{{"KNETSIM_FLANNELD", flanneld.string()}});
  for (const auto* flavour : {"real", "auto"}) {
    const auto ran = check_fake("pass", {"--flannel", flavour});
    EXPECT_EQ(ran.code, 2) << flavour;
    EXPECT_THAT(ran.err, HasSubstr("use 0.21.3 or later")) << flavour;
  }
  EXPECT_EQ(check_fake("pass", {"--flannel", "builtin"}).code, 0);
}

TEST(Check, SaysWhatIsMissingWhenTheSuiteIs) {
  const auto ran = knetsim({"check", "--suite", "suite-of-nobody"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("suite-of-nobody"));
  EXPECT_THAT(ran.err, HasSubstr("remedy: build it"));
}

TEST(Check, CanNotRunAProgramThatListsNothing) {
  const auto ran = knetsim({"check", "--suite", "/bin/true"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("it reported nothing"));
  EXPECT_EQ(check_liar("", run_started(0)).code, 2);
  EXPECT_THAT(check_liar("", run_started(5)).err, HasSubstr("announced 5 tests and listed 0"));
}

TEST(Check, BelievesAStrangerWhoseWordsAgreeAndNoOther) {
  const auto honest = check_liar(run_started(2) + passed("L.a") + passed("L.b") + run_ended(2));
  EXPECT_EQ(honest.code, 0) << honest.out << honest.err;
  const auto liar = check_liar(run_started(2) + passed("L.a") + run_ended(1));
  EXPECT_EQ(liar.code, 1);
  EXPECT_THAT(liar.out, HasSubstr("✓ a"));
  EXPECT_THAT(liar.out, HasSubstr("never ran"));
  EXPECT_THAT(liar.out, HasSubstr("1 of 2 checks passed, 1 failed"));
  const auto mute = check_liar("");
  EXPECT_EQ(mute.code, 1);
  EXPECT_THAT(mute.out, HasSubstr("some words of its own"));
}

TEST(Check, SaysThatAFileThatIsNoProgramCanNotBeRun) {
  const auto path = scratch("no-program", "neither ELF nor script");
  std::filesystem::permissions(path, std::filesystem::perms::all);
  const auto ran = knetsim({"check", "--suite", path.string()});
  EXPECT_EQ(ran.code, 2);
  EXPECT_THAT(ran.err, HasSubstr("Exec format error"));
}

/// The program itself, checking a suite that hangs; both are up when this is constructed.
struct Hanging {
  std::filesystem::path pid_file = std::filesystem::path(kStateDirectory) / "suite.pid";
  Process program;
  pid_t suite = 0;

  explicit Hanging(const std::string& before = {})
      : program(Process::spawn({.argv = {"bash", "-c", before + "exec \"$0\" check --suite \"$1\"", kProgram.string(),
                                         kFakeSuite.string()},
                                .environment = {{"FAKE", "hang"}, {"FAKE_PID_FILE", pid_file.string()}}},
                               std::filesystem::path(kStateDirectory) / "log")) {
    wait_for_file(pid_file, kDefaultBudget);
    suite = std::stoi(read_file(pid_file));
  }
  std::optional<std::string> suite_lives() const {
    return ::kill(suite, 0) == 0 ? std::optional<std::string>("the end of the suite") : std::nullopt;
  }
};

TEST(Interrupt, IsHandedOnAndTold) {
  Hanging hanging;
  hanging.program.signal(SIGINT);
  const auto status = hanging.program.wait(kDefaultBudget);
  EXPECT_EQ(status.code(), 130) << hanging.program.log_tail();
  EXPECT_THAT(hanging.program.log_tail(), HasSubstr("interrupted by SIGINT"));
  EXPECT_THAT(hanging.program.log_tail(), HasSubstr("not run: middle last"));
  eventually([&] { return hanging.suite_lives(); });
}

TEST(Interrupt, ByASignalThatNohupMadeIgnoredIsNone) {
  Hanging hanging("trap '' HUP; ");
  hanging.program.signal(SIGHUP);
  hanging.program.signal(SIGTERM);
  EXPECT_EQ(hanging.program.wait(kDefaultBudget).code(), 143) << hanging.program.log_tail();
  EXPECT_THAT(hanging.program.log_tail(), HasSubstr("interrupted by SIGTERM"));
}

TEST(Kill, OfTheProgramTakesTheSuiteAlong) {
  Hanging hanging;
  ASSERT_EQ(::kill(hanging.program.pid(), SIGKILL), 0);
  EXPECT_NO_THROW(eventually([&] { return hanging.suite_lives(); }));
}

}  // namespace
}  // namespace knetsim::cli
