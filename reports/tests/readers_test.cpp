#include "readers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "knetsim/sys/error.h"
#include "sample.h"

namespace knetsim::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ReadersTest : public testing::Test {
 protected:
  /// What the reader says about this text.
  template <typename Reader>
  std::string complaint(Reader reader, const std::string& text) {
    const auto file = scratch.write("input", text);
    try {
      reader(file);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no complaint";
  }
  Scratch scratch;
};

constexpr const char* kGtest = R"(<?xml version="1.0"?>
<testsuites tests="2" failures="1" errors="0"><testsuite name="S">
<testcase name="a" status="run" result="completed"><failure message="../../suites/a.cpp:12&#x0A;Failed&#x0A;too late"/>
<properties><property name="check" value="vip"/></properties></testcase>
<testcase name="b" status="notrun" result="suppressed"/></testsuite></testsuites>)";

TEST_F(ReadersTest, GtestGivesPlaceMessageAndProperties) {
  const auto result = read_gtest(scratch.write("a.xml", kGtest));
  EXPECT_EQ(result.verdict, GtestResult::Verdict::failed);
  EXPECT_THAT(result.reasons, ElementsAre(Reason{"../../suites/a.cpp", 12, "too late"}));
  EXPECT_EQ(result.properties.at("check"), "vip");
}

TEST_F(ReadersTest, GtestNamesTheCasesThatRan) {
  const auto result = read_gtest(scratch.write("a.xml", R"(<testsuites failures="0" errors="0"><testsuite name="F/S">
<testcase name="a/real" classname="F/S" status="run" result="completed"/>
<testcase name="b" status="run" result="completed"/><testcase name="c" status="notrun"/></testsuite></testsuites>)"));
  EXPECT_THAT(result.ran, ElementsAre("F/S.a/real", "F/S.b"));
}

TEST_F(ReadersTest, GtestTakesNoEntityOfTheFilesOwn) {
  const auto result = read_gtest(scratch.write("a.xml", R"(<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "T.a">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;">]><testsuites failures="0" errors="0"><testsuite name="T">
<testcase name="&lol2;" classname="T" status="run" result="completed"/></testsuite></testsuites>)"));
  EXPECT_THAT(result.ran, ElementsAre("T.&lol2;"));
}

TEST_F(ReadersTest, JsonDeeperThanAnythingOfOursIsRefusedWithItsPlace) {
  for (const std::size_t levels : {600U, 100'000U}) {
    std::string deep(levels, '[');
    for (const auto& text : {deep, R"({"tests":)" + deep, R"({"schema":)" + deep + std::string(levels, ']') + "}"}) {
      EXPECT_THAT(complaint(read_registered, text), HasSubstr("deeper"));
      EXPECT_THAT(complaint(read_bench, text), HasSubstr("deeper"));
    }
  }
}

TEST_F(ReadersTest, GtestGivesTheReasonOfASkip) {
  const auto result = read_gtest(scratch.write("a.xml", R"(<testsuites failures="0" errors="0"><testsuite>
<testcase status="run" result="skipped"><skipped message="x"><![CDATA[a.cpp:3
no daemon]]></skipped></testcase></testsuite></testsuites>)"));
  EXPECT_EQ(result.verdict, GtestResult::Verdict::skipped);
  EXPECT_THAT(result.reasons, ElementsAre(Reason{"a.cpp", 3, "no daemon"}));
}

TEST_F(ReadersTest, GtestTakesAFailureOutsideOfTheCasesForOne) {
  const auto result = read_gtest(scratch.write("a.xml", R"(<testsuites failures="1" errors="0"><testsuite>
<testcase status="run" result="completed"/></testsuite></testsuites>)"));
  EXPECT_EQ(result.verdict, GtestResult::Verdict::failed);
}

TEST_F(ReadersTest, GtestPassesOverNoFailureWhereverItStands) {
  for (const auto* story : {
           R"(<testsuites errors="1"><testsuite><testcase status="run"/></testsuite></testsuites>)",
           R"(<testsuites><testsuite failures="1"><testcase status="run"/></testsuite></testsuites>)",
           R"(<testsuites><testsuite errors="1"><testcase status="run"/></testsuite></testsuites>)",
           R"(<testsuites><testsuite><testcase status="run"><error message="m"/></testcase></testsuite></testsuites>)",
           R"(<testsuites><testsuite><testcase status="run"/><testsuite><testcase status="run"><failure message="m"/>
</testcase></testsuite></testsuite></testsuites>)",
       }) {
    const auto result = read_gtest(scratch.write("a.xml", story));
    EXPECT_EQ(result.verdict, GtestResult::Verdict::failed) << story;
    EXPECT_THAT(result.reasons, SizeIs(1)) << story;
  }
}

TEST_F(ReadersTest, GtestRefusesWhatIsCutOffAnywhere) {
  const std::string whole = kGtest;
  for (std::size_t length = 0; length + 1 < whole.size(); length += 7) {
    const auto said = complaint(read_gtest, whole.substr(0, length));
    EXPECT_THAT(said, HasSubstr("input")) << "cut after " << length;
  }
}

TEST_F(ReadersTest, GtestRefusesAnotherFormatAndNamesTheRoot) {
  EXPECT_THAT(complaint(read_gtest, "<testsuite/>"), AllOf(HasSubstr("<testsuites>"), HasSubstr("<testsuite>")));
}

TEST_F(ReadersTest, GtestShortensAMessageOfTenMebibytes) {
  const std::string huge(std::size_t{10} << 20, 'x');
  const auto result = read_gtest(scratch.write("a.xml", R"(<testsuites failures="1" errors="0"><testsuite>
<testcase status="run"><failure message="a.cpp:1&#x0A;)" + huge +
                                                            R"("/></testcase></testsuite></testsuites>)"));
  EXPECT_LT(result.reasons.at(0).text.size(), kLongestReason + 100);
  EXPECT_THAT(result.reasons.at(0).text, HasSubstr("more bytes"));
}

TEST_F(ReadersTest, CtestGivesOutcomeTimeAndTheEndOfTheOutput) {
  const auto run = read_ctest(scratch.write("ctest.xml", R"(<testsuite time="7">
<testcase name="a" time="0.5" status="run"/><testcase name="b" time="1" status="fail"><failure message=""/>
<system-out>)" + std::string(20'000, 'x') + R"(the end
</system-out></testcase><testcase name="c" status="notrun"><skipped message="Unable to find executable"/></testcase>
<testcase name="d" status="disabled"/></testsuite>)"));
  ASSERT_THAT(run.tests, SizeIs(4));
  EXPECT_EQ(run.seconds, 7);
  EXPECT_EQ(run.tests[0].outcome, Outcome::passed);
  EXPECT_EQ(run.tests[0].seconds, 0.5);
  EXPECT_EQ(run.tests[1].outcome, Outcome::failed);
  EXPECT_THAT(run.tests[1].output, testing::EndsWith("the end"));
  EXPECT_LT(run.tests[1].output.size(), kLongestReason + 100);
  EXPECT_EQ(run.tests[2].message, "Unable to find executable");
  EXPECT_EQ(run.tests[3].outcome, Outcome::skipped);
}

TEST_F(ReadersTest, CtestRefusesHalfAFileAndNamesTheLine) {
  EXPECT_THAT(complaint(read_ctest, "<testsuite>\n<testcase"), HasSubstr("input:2"));
  EXPECT_THAT(complaint(read_ctest, ""), HasSubstr("the file is empty"));
}

TEST_F(ReadersTest, EndingsComeFromTheListAtTheEndOfTheLog) {
  const auto endings = read_endings(scratch.write("ctest.log",
                                                  "1/2 Test #1: s:T.a ...***Failed 1 sec\n\t  1 - s:T.a (SEGFAULT)\n"
                                                  "\t 12 - s:T (x)/b (Subprocess aborted)\n - not (one)\n"));
  EXPECT_EQ(endings.size(), 2U);
  EXPECT_EQ(endings.at("s:T.a"), "SEGFAULT");
  EXPECT_EQ(endings.at("s:T (x)/b"), "Subprocess aborted");
}

TEST_F(ReadersTest, RegisteredGivesResultFileLabelsAndTimeout) {
  const auto tests = read_registered(scratch.write("registered.json", R"({"tests":[{"name":"s:T.a",
"command":["/build/bin/s","--gtest_filter=T.a","--gtest_output=xml:/build/out/xml/s.T.a.xml"],"properties":[{"name":"LABELS","value":["vip"]},
{"name":"TIMEOUT","value":60.0},{"name":"OTHER","value":false}]},{"name":"python:b"}]})"));
  ASSERT_THAT(tests, SizeIs(2));
  EXPECT_EQ(tests[0].xml, "s.T.a.xml");
  EXPECT_EQ(tests[0].program, "s");
  EXPECT_EQ(tests[0].filter, "T.a");
  EXPECT_THAT(tests[0].labels, ElementsAre("vip"));
  EXPECT_EQ(tests[0].timeout, 60);
  EXPECT_EQ(tests[1].xml, "");
}

TEST_F(ReadersTest, RegisteredNamesThePlaceOfWhatIsWrong) {
  EXPECT_THAT(complaint(read_registered, R"({"tests":[{"name":"a"},{"name":1}]})"),
              HasSubstr("input:1: /tests/1/name: 1: "));
  EXPECT_THAT(complaint(read_registered, "{\n\"tests\" 1}"), HasSubstr("input:2:9: syntax error"));
  EXPECT_THAT(complaint(read_registered, "[]"), HasSubstr("must be an object"));
}

TEST_F(ReadersTest, BenchReadsOurOwnFiles) {
  const auto figures =
      read_bench(scratch.write("boot.json", R"({"schema":1,"bench":"boot","results":[{"name":"demo","unit":"s",
"up":{"median":0.4,"min":0.3,"max":0.5,"runs":5},"pss_kib":{"median":96,"min":90,"max":99},"ratio":2}]})"));
  ASSERT_THAT(figures, SizeIs(2));
  EXPECT_EQ(figures[0].name, "boot demo pss_kib");
  EXPECT_EQ(figures[0].unit, "KiB");
  EXPECT_EQ(figures[1].name, "boot demo up");
  EXPECT_EQ(figures[1].value, 0.4);
}

TEST_F(ReadersTest, BenchReadsGoogleBenchmarkSFiles) {
  const auto figures = read_bench(scratch.write("nft.json", R"({"benchmarks":[
{"name":"a","run_name":"a","run_type":"iteration","real_time":9,"time_unit":"us"},
{"name":"a_median","run_name":"a","run_type":"aggregate","aggregate_name":"median","real_time":5,"time_unit":"us",
"bytes_per_second":2e9}]})"));
  ASSERT_THAT(figures, SizeIs(2));
  EXPECT_DOUBLE_EQ(figures[0].value, 5e-6);
  EXPECT_TRUE(figures[1].bigger_is_better());
}

TEST_F(ReadersTest, BenchRefusesAnotherSchema) {
  EXPECT_THAT(complaint(read_bench, R"({"schema":2,"bench":"boot","results":[]})"), HasSubstr("input:1: /schema: 2: "));
}

TEST_F(ReadersTest, LcovSumsUpByLayer) {
  const auto file = scratch.write("coverage.info",
                                  "TN:\nSF:/s/src/sys/a.cpp\nDA:1,1\nLF:10\nLH:9\nend_of_record\n"
                                  "SF:/s/src/sys/include/b.h\nLF:5\nLH:5\nend_of_record\n"
                                  "SF:/s/reports/c.cpp\nLF:4\nLH:1\nend_of_record\n"
                                  "SF:/usr/include/d.h\nLF:9\nLH:0\nend_of_record\n");
  const auto layers = read_lcov(file, "/s");
  ASSERT_THAT(layers, SizeIs(2));
  EXPECT_EQ(layers[0].layer, "src/sys");
  EXPECT_EQ(layers[0].lines, 15U);
  EXPECT_EQ(layers[0].hit, 14U);
  EXPECT_EQ(layers[1].layer, "reports");
}

TEST_F(ReadersTest, LcovRefusesACountThatIsNoneAndAFileThatNamesNothing) {
  const auto read = [](const std::filesystem::path& file) { read_lcov(file, "/s"); };
  EXPECT_THAT(complaint(read, "SF:/s/src/a/b.cpp\nLF:ten\n"), HasSubstr("input:2"));
  EXPECT_THAT(complaint(read, ""), HasSubstr("names none"));
}

TEST_F(ReadersTest, FactsNameAShardThatCannotBe) {
  const auto read = [](const std::filesystem::path& file) {
    RunResult run;
    read_facts(file, run);
  };
  const std::string head = R"({"schema":"knetsim.facts/1","started":"2026-11-01T01:00:00Z","facts":{},"tools":{})";
  EXPECT_EQ(complaint(read, head + R"(,"shard":{"index":1,"total":2}})"), "no complaint");
  EXPECT_THAT(complaint(read, head + R"(,"shard":{"index":2,"total":2}})"), HasSubstr("input:1: /shard: "));
  EXPECT_THAT(complaint(read, R"({"schema":"knetsim.facts/2"})"), HasSubstr("knetsim.facts/2"));
}

TEST_F(ReadersTest, AllowedSkipsNeedAReasonAndAUse) {
  const AllowedSkips skips("# heading\n\ns:*/real  # no daemon\ns:T.a\nx # why\nx # why\n", "skips.txt");
  EXPECT_TRUE(skips.allow("s:T.b/real"));
  EXPECT_FALSE(skips.allow("s:T.b/real/more"));
  EXPECT_THAT(skips.problems(), ElementsAre(HasSubstr("skips.txt:4: \"s:T.a\" has no reason"),
                                            HasSubstr("skips.txt:6: \"x\" stands there twice")));
  EXPECT_THAT(skips.rotten({"s:T.a", "s:T.a/real"}), SizeIs(2));
}

}  // namespace
}  // namespace knetsim::report
