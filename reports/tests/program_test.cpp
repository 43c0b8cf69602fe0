// The program as it is called: its files, its exit codes, its words.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "run_tests.h"
#include "sample.h"

namespace knetsim::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace fs = std::filesystem;

class ProgramTest : public testing::Test {
 protected:
  static ExecResult program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), KNETSIM_REPORT);
    return exec(Command{.argv = std::move(arguments)});
  }
  ExecResult collect(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"collect", (scratch.path() / "out").string(), "--to", report.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return program(std::move(arguments));
  }
  void write_run(const std::string& status, const std::string& xml) {
    scratch.write("out/registered.json",
                  R"({"tests":[{"name":"s:T.a","command":["s","--gtest_output=xml:/x/a.xml"]}]})");
    scratch.write("out/ctest.xml",
                  fmt::format(R"(<testsuite><testcase name="s:T.a" status="{}" time="1"/></testsuite>)", status));
    if (!xml.empty()) scratch.write("out/xml/a.xml", xml);
  }
  std::string file(const char* name) { return read_file(report / name); }

  Scratch scratch;
  fs::path report = scratch.path() / "report";
  const std::string passed =
      R"(<testsuites failures="0" errors="0"><testsuite><testcase status="run" result="completed"/></testsuite></testsuites>)";
};

int code(const ExecResult& result) { return result.status.code().value_or(-1); }

TEST_F(ProgramTest, MakesAGreenReportInSilence) {
  write_run("run", passed);
  const auto result = collect();
  EXPECT_EQ(code(result), 0) << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(file("results.json"), HasSubstr("\"verdict\": \"green\""));
  EXPECT_THAT(file("report.html"), HasSubstr("Green"));
  for (const auto* name : {"summary.md", "junit.xml", "annotations.txt", "bench.json", "bench-bigger.json"})
    EXPECT_TRUE(fs::exists(report / name)) << name;
}

TEST_F(ProgramTest, BelievesTheResultsOfThisRunAlone) {
  struct Row {
    const char* run;
    const char* result;
    bool believed;
  };
  // Clocks were put back at 03:00 to 02:00.
  for (const auto& [run, result, believed] : {Row{"2026-11-30T07:11:39", "2026-11-30T07:11:39.001", true},
                                              {"2026-11-30T07:11:39", "2026-11-30T07:11:38.999", false},
                                              {"2026-11-30T07:11:39", "2026-11-29T23:00:00.000", false},
                                              {"2026-11-30T07:11:39", "", true},
                                              {"", "2026-11-30T07:11:39.001", true},
                                              {"2026-10-25T01:50:00", "2026-10-25T02:10:00.000", true},
                                              {"2026-10-25T02:50:00", "2026-10-25T02:10:00.000", true},
                                              {"2026-10-25T02:50:00", "2026-10-25T01:40:00.000", false}}) {
    write_run("run", passed);
    scratch.write(
        "out/ctest.xml",
        fmt::format(R"(<testsuite timestamp="{}" time="3000"><testcase name="s:T.a" status="run"/></testsuite>)", run));
    scratch.write(
        "out/xml/a.xml",
        fmt::format(R"(<testsuites timestamp="{}"><testsuite><testcase status="run"/></testsuite></testsuites>)",
                    result));
    const auto said =
        exec({.argv = {KNETSIM_REPORT, "collect", (scratch.path() / "out").string(), "--to", report.string()},
              .environment = {{"TZ", "CET-1CEST,M3.5.0,M10.5.0/3"}}});
    EXPECT_EQ(code(said), believed ? 0 : 1) << run << " and " << result << "\n" << said.err;
    if (!believed) {
      EXPECT_THAT(said.err, HasSubstr("a.xml is of an earlier run: it began at"));
    }
  }
}

TEST_F(ProgramTest, MakesARedReportAndSaysWhy) {
  write_run("fail", "");
  const auto result = collect();
  EXPECT_EQ(code(result), 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("red: 1 test failed"), HasSubstr("s:T.a: failed: failed without leaving"),
                                HasSubstr("report.html")));
  EXPECT_THAT(file("junit.xml"), HasSubstr("<failure"));
}

/// A project of somebody's own, as knetsim_suite() registers its tests; `result` is what its test leaves.
class RunProgramTest : public ProgramTest {
 protected:
  void write_project(const std::string& result, const char* test = "true") {
    scratch.write("left.xml", result);
    const auto out = scratch.path() / "build/out";
    scratch.write("build/CTestTestfile.cmake",
                  fmt::format("add_test(\"s:T.a\" \"/bin/sh\" \"-c\" \"mkdir -p {0}/xml && cp {1} {0}/xml/a.xml; {2}\" "
                              "\"s\" \"--gtest_output=xml:{0}/xml/a.xml\")\n",
                              out.string(), (scratch.path() / "left.xml").string(), test));
  }
  static std::vector<std::string> ctest_of(const fs::path& build) {
    return {"run", "--", "ctest", "--test-dir", build.string()};
  }
  const fs::path build = scratch.path() / "build";
};

TEST_F(RunProgramTest, RunsCtestAndMakesTheReport) {
  write_project(passed);
  scratch.write("build/out/xml/stale.xml", "left by an earlier run");
  const auto result = program(ctest_of(build));
  EXPECT_EQ(code(result), 0) << result.out << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("100% tests passed"), HasSubstr("build/report/report.html")));
  EXPECT_THAT(read_file(build / "report/results.json"), HasSubstr("\"verdict\": \"green\""));
  EXPECT_FALSE(fs::exists(build / "out/xml/stale.xml"));
}

TEST_F(RunProgramTest, IsRedWhenATestIs) {
  write_project(passed, "false");
  const auto result = program(ctest_of(build));
  EXPECT_EQ(code(result), 1) << result.out;
  EXPECT_THAT(result.err, HasSubstr("red: 1 test failed"));
}

TEST_F(RunProgramTest, HandsAnInterruptionOn) {
  write_project(passed, "exec sleep 60");
  auto argv = ctest_of(build);
  argv.insert(argv.begin(), KNETSIM_REPORT);
  auto running = Process::spawn({.argv = argv}, scratch.path() / "log");
  eventually(
      [&] { return fs::exists(build / "out/xml/a.xml") ? std::nullopt : std::optional<std::string>("its test"); });
  running.signal(SIGINT);
  EXPECT_EQ(running.wait(std::chrono::seconds(10)).code(), 2);
  EXPECT_THAT(read_file(scratch.path() / "log"), HasSubstr("it ended without a result"));
  EXPECT_FALSE(fs::exists(build / "report"));
}

TEST_F(RunProgramTest, RefusesWhatItCannotReportOf) {
  scratch.write("empty/CTestTestfile.cmake", "add_test(\"x\" \"/bin/true\")\n");
  for (const auto& [arguments, told] : std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{"run", "--", "make", "test"}, "it isn't ctest"},
           {{"run"}, "ctest is required"},
           {ctest_of(scratch.path() / "empty"), "find_package(knetsim)"},
           {ctest_of(scratch.path() / "nowhere"), "list the tests"}}) {
    const auto result = program(arguments);
    EXPECT_EQ(code(result), 2) << told;
    EXPECT_THAT(result.err, HasSubstr(told));
  }
}

TEST(AsksForSome, KnowsCtestsSelections) {
  EXPECT_TRUE(asks_for_some({"ctest", "-L", "vip"}));
  EXPECT_TRUE(asks_for_some({"ctest", "--tests-regex=Turns"}));
  EXPECT_TRUE(asks_for_some({"ctest", "--rerun-failed"}));
  EXPECT_FALSE(asks_for_some({"ctest", "--test-dir", "build", "-j4", "--output-on-failure"}));
}

TEST_F(ProgramTest, FindsTheSecondAttemptOfWhatFailed) {
  write_run("fail", "");
  scratch.write("out/retry/ctest.xml", R"(<testsuite><testcase name="s:T.a" status="run"/></testsuite>)");
  scratch.write("out/retry/xml/a.xml", passed);
  EXPECT_EQ(code(collect()), 1);
  EXPECT_THAT(file("results.json"), HasSubstr("\"outcome\": \"flaky\""));
}

TEST_F(ProgramTest, MakesTheTimeThatTheReadmeSNetworkTakesToBootAFigure) {
  scratch.write("out/registered.json",
                R"({"tests":[{"name":"suite-readme:R.a","command":["s","--gtest_output=xml:/x/a.xml"]}]})");
  scratch.write("out/ctest.xml", R"(<testsuite><testcase name="suite-readme:R.a" status="run"/></testsuite>)");
  scratch.write("out/xml/a.xml", R"(<testsuites failures="0" errors="0"><testsuite><testcase status="run"><properties>
<property name="boot" value="{&quot;C0: flannel&quot;:0.5,&quot;C0: etcd&quot;:0.25}"/></properties></testcase></testsuite></testsuites>)");
  EXPECT_EQ(code(collect()), 0);
  EXPECT_THAT(file("bench.json"), AllOf(HasSubstr("boot of the README's network"), HasSubstr("\"value\": 0.5")));
  EXPECT_THAT(file("report.html"), HasSubstr("How long booting takes"));
}

TEST_F(ProgramTest, EndsWithTwoAndWritesNothingIfItCannotReadItsInput) {
  write_run("run", passed);
  for (const auto* broken : {"registered.json", "ctest.xml"}) {
    write_run("run", passed);
    scratch.write(std::string("out/") + broken, "<tests");
    EXPECT_EQ(code(collect()), 2) << broken;
    fs::remove(scratch.path() / "out" / broken);
    const auto result = collect();
    EXPECT_EQ(code(result), 2) << broken;
    EXPECT_THAT(result.err, HasSubstr(broken));
  }
  EXPECT_FALSE(fs::exists(report));
}

TEST_F(ProgramTest, EndsWithTwoIfItIsCalledWrongly) {
  EXPECT_EQ(code(program({})), 2);
  EXPECT_EQ(code(program({"collect"})), 2);
  const auto result = program({"frobnicate"});
  EXPECT_EQ(code(result), 2);
  EXPECT_THAT(result.err, HasSubstr("--help"));
}

TEST_F(ProgramTest, ExplainsItself) {
  const auto result = program({"--help"});
  EXPECT_EQ(code(result), 0);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("collect"), HasSubstr("compare"), HasSubstr("merge"), HasSubstr("Exit codes")));
  EXPECT_EQ(code(program({"compare", "--help"})), 0);
  EXPECT_THAT(program({"--version"}).out, HasSubstr("knetsim-report 0."));
}

TEST_F(ProgramTest, ComparesAndRemembers) {
  const auto history = (scratch.path() / "history").string();
  append_night(history, night(1, {{.name = "s:T.a", .outcome = Outcome::passed, .seconds = 1}}), true);
  write_run("fail", "");
  collect();
  const auto dry = program({"compare", report.string(), "--history", history, "--dry-run"});
  EXPECT_EQ(code(dry), 1) << dry.err;
  EXPECT_THAT(file("summary.md"), HasSubstr("1 new failure"));
  EXPECT_EQ(std::distance(fs::directory_iterator(history), {}), 1);
  EXPECT_EQ(code(program({"compare", report.string(), "--history", history})), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(history), {}), 2);
}

TEST_F(ProgramTest, RefusesToCompareAShard) {
  write_run("run", passed);
  scratch.write("out/all.json", R"({"tests":[{"name":"s:T.a"},{"name":"s:T.b"}]})");
  scratch.write(
      "out/facts.json",
      R"({"schema":"knetsim.facts/1","started":"2026-11-01T01:00:00Z","facts":{},"tools":{},"shard":{"index":0,"total":2}})");
  EXPECT_EQ(code(collect()), 0);
  const auto result = program({"compare", report.string(), "--history", (scratch.path() / "history").string()});
  EXPECT_EQ(code(result), 2);
  EXPECT_THAT(result.err, HasSubstr("merge"));
  const auto merged = program({"merge", report.string(), "--to", (scratch.path() / "merged").string()});
  EXPECT_EQ(code(merged), 1);
  EXPECT_THAT(merged.err, AllOf(HasSubstr("shard 1 of 2 is absent"), HasSubstr("s:T.b: missing")));
}

}  // namespace
}  // namespace knetsim::report
