// What the page must never do, whatever it is given; its looks are golden_test.cpp's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "causes.h"
#include "html/evidence.h"
#include "html/topology.h"
#include "sample.h"
#include "writers.h"

namespace knetsim::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;

class PageTest : public testing::Test {
 protected:
  std::string page(const RunResult& run) { return html_page(run, compare(run, {}), scratch.path() / "report"); }
  Scratch scratch;
};

TEST_F(PageTest, ShowsMarkupAndControlCharactersAndRunsNone) {
  const auto text = page(sample_run(scratch.path() / "report"));
  EXPECT_THAT(text, HasSubstr("]]&gt; &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
  EXPECT_THAT(text, HasSubstr("␁␛[31m"));
  EXPECT_THAT(text, Not(HasSubstr("<script>alert")));
}

TEST_F(PageTest, LoadsNothingFromAnywhere) {
  const auto text = page(sample_run(scratch.path() / "report"));
  for (const auto* reference : {"src=", "href=\"http", "url(", "@import"}) EXPECT_THAT(text, Not(HasSubstr(reference)));
}

TEST_F(PageTest, OfAHundredThousandTestsIsWritten) {
  std::vector<TestResult> tests;
  for (int i = 0; i < 100'000; ++i)
    tests.push_back(i % 100 == 0 ? failing(fmt::format("T.{}", i)) : passing(fmt::format("T.{}", i)));
  const auto run = night(1, std::move(tests));
  EXPECT_THAT(page(run), HasSubstr("<b>1000</b> failed"));
  EXPECT_LT(summary_markdown(run, compare(run, {})).size(), std::size_t{1} << 20);
}

TEST_F(PageTest, OfHugeMessagesHasASummaryBelowWhatGithubTakes) {
  std::vector<TestResult> tests;
  for (int i = 0; i < 200; ++i) {
    const std::string cause{static_cast<char>('a' + i / 20), static_cast<char>('a' + i % 20)};
    tests.push_back(failing(fmt::format("T.{}", i), cause + " is gone\n" + std::string(kLongestReason - 20, '|')));
  }
  const auto run = night(1, std::move(tests));
  ASSERT_THAT(causes_of(compare(run, {}).new_failures), SizeIs(200));
  EXPECT_LT(summary_markdown(run, compare(run, {})).size(), std::size_t{1} << 19)
      << "neither every cause nor all of what one says";
}

TEST_F(PageTest, OfHugeNamesHasASummaryBelowWhatGithubTakes) {
  std::vector<TestResult> tests;
  for (int i = 0; i < 40; ++i) tests.push_back(failing(fmt::format("T.{}{}", i, std::string(50'000, 'x'))));
  const auto run = night(1, std::move(tests));
  EXPECT_LT(summary_markdown(run, compare(run, {})).size(), std::size_t{1} << 20);
}

TEST_F(PageTest, NamesEvidenceThatWouldBeTooMuch) {
  auto run = night(1, {});
  std::filesystem::create_directories(scratch.path() / "report");
  for (int i = 0; i < 80; ++i) {
    auto test = failing(fmt::format("T.{}", i), fmt::format("{} isn't there", i));
    test.evidence = fmt::format("../out/{}", i);
    scratch.write(fmt::format("out/{}/evidence/w1/flanneld.log", i), std::string(200'000, 'x') + "the end");
    run.tests.push_back(test);
  }
  const auto text = page(run);
  EXPECT_LT(text.size(), std::size_t{5} << 20);
  EXPECT_THAT(text, HasSubstr("1 file is left out"));
  EXPECT_THAT(text, HasSubstr("the end"));
}

TEST_F(PageTest, SurvivesATopologyThatIsNone) {
  auto run = sample_run(scratch.path() / "report");
  const std::string file = "out/suite-readme/Readme.ContainersReachEachOther/evidence/topology.json";
  for (const auto* text :
       {"", "{}", "[1]", R"([{"name":"a","kind":"switch","on":"b"},{"name":"b","kind":"switch","on":"a"}])"}) {
    scratch.write(file, text);
    EXPECT_THAT(page(run), HasSubstr("Containers reach each other"));
  }
}

TEST_F(PageTest, OpensAtTheWorkersOfThePathAndTheFileThatDiffersMost) {
  auto run = sample_run(scratch.path() / "report");
  const std::string evidence = "out/suite-readme/Readme.ContainersReachEachOther/evidence/";
  scratch.write(evidence + "e1/routes.txt", "nothing\n");
  scratch.write(evidence + "underlay/routes.txt", "nothing\n");
  scratch.write(evidence + "w1/ruleset.txt", "counter packets 7 bytes 588\nudp dport 8472 drop\nchain forward {\n");
  EXPECT_THAT(page(run), HasSubstr("data-left=\"w1\" data-right=\"w2\" data-file=\"ruleset.txt\""));
}

TEST_F(PageTest, FoldsTheBootUnlessItIsToBlame) {
  auto run = sample_run(scratch.path() / "report");
  EXPECT_THAT(page(run), HasSubstr("<details><summary>Boot</summary>"));
  for (auto& test : run.tests)
    if (test.outcome == Outcome::failed)
      test.reasons = {{{}, 0, "C++ exception with description \"w1: no etcd\" thrown in SetUp()."}};
  EXPECT_THAT(page(run), HasSubstr("<details open><summary>Boot</summary>"));
}

TEST_F(PageTest, HasOneHeadlineAShortCommitAndTheLastGreenOne) {
  auto run = night(13, {failing("T.a")});
  run.facts["commits"] = "https://example.org/commit/";
  write_sample_history(scratch.path() / "history");
  const auto text = html_page(run, compare(run, read_history(scratch.path() / "history", run.started)), scratch.path());
  const auto head = text.substr(text.find("<h1>"), text.find("<nav") - text.find("<h1>"));
  EXPECT_THAT(head, HasSubstr("<h1>Red: 1 test failed</h1>"));
  EXPECT_THAT(head, Not(HasSubstr("class=reasons")));
  EXPECT_THAT(head, HasSubstr(">c000000000</code></a>"));
  EXPECT_THAT(head, HasSubstr("Last green: 2026-11-09"));
  EXPECT_THAT(head, HasSubstr("git log c000000000..c000000000"));
}

TEST_F(PageTest, MakesNoLinkOfAFactThatIsNoWebAddress) {
  auto run = night(1, {failing("T.a")});
  run.facts["commits"] = "javascript:alert(1)//";
  run.facts["url"] = "javascript:alert(2)";
  const auto text = page(run);
  EXPECT_THAT(text, Not(HasSubstr("href=\"javascript")));
  EXPECT_THAT(summary_markdown(run, compare(run, {})), Not(HasSubstr("javascript")));
}

TEST(MostDifferent, IsTheFileWithTheMostLinesThatTheOtherNodeLacks) {
  using Files = std::map<std::string, std::string>;
  const Files w1{{"routes.txt", "10.0.0.0/24 dev eth0 src 10.0.0.3\n"},
                 {"ruleset.txt", "counter packets 7\ncounter bytes 588\n"},
                 {"connections.txt", "a\nb\nc\n"},
                 {"flanneld.log", "one\ntwo\n"}};
  auto w2 = Files{{"routes.txt", "10.0.0.0/24 dev eth0 src 10.0.0.4\n"},
                  {"ruleset.txt", "counter packets 0\ncounter bytes 0\n"},
                  {"connections.txt", "d\n"},
                  {"flanneld.log", "three\n"}};
  EXPECT_EQ(html::most_different(w1, w2), "routes.txt") << "addresses, counters, flows and logs always differ";
  w2["ruleset.txt"] += "udp dport 8472 drop\n";
  EXPECT_EQ(html::most_different(w1, w2), "ruleset.txt");
  w2["routes.txt"] = "\ndefault via 10.0.0.1\nblackhole 11.0.0.0/8\n";
  EXPECT_EQ(html::most_different(w1, w2), "routes.txt");
  EXPECT_EQ(html::most_different({}, {}), "");
}

class PathTest : public testing::Test {
 protected:
  std::vector<std::string> path(const TestResult& test) {
    std::vector<std::string> names;
    const auto ends = html::ends_of_failure(places, test);
    known = ends.known;
    compared = html::nodes_to_compare(places, ends);
    for (const auto place : html::path_between(places, ends)) names.push_back(places[place].name);
    return names;
  }
  bool known = false;
  using Names = std::pair<std::string, std::string>;
  Names compared;
  std::vector<html::Place> places{{"t0", "switch", "", {}},
                                  {"s1", "switch", "t0", {}},
                                  {"s2", "switch", "t0", {}},
                                  {"w1", "worker", "s1", {"10.0.0.3"}},
                                  {"w2", "worker", "s2", {"10.0.0.4"}},
                                  {"w1/c1", "container", "w1", {"11.10.0.2"}},
                                  {"w2/c2", "container", "w2", {"11.10.16.2"}}};
};

TEST_F(PathTest, GoesFromEndToEndOverEverySwitch) {
  auto test = failing("T.a");
  test.step = FailedStep{"w1/c1", "w2/c2", "ping"};
  EXPECT_THAT(path(test), ElementsAre("w1/c1", "w1", "s1", "t0", "s2", "w2", "w2/c2"));
}

TEST_F(PathTest, IsWhatTheMatcherSaysInItsDirection) {
  auto test = failing("T.a", "can't ping 11.10.0.2 from 11.10.16.2\npath: w2/c2 -> 11.10.0.2\nroute of w2/c2");
  test.step = FailedStep{"w1/c1", "w2/c2", "ping"};
  EXPECT_THAT(path(test), ElementsAre("w2/c2", "w2", "s2", "t0", "s1", "w1", "w1/c1"));
  EXPECT_TRUE(known);
  EXPECT_EQ(compared, (Names{"w2", "w1"}));
}

TEST_F(PathTest, ToAnAddressThatIsNoPlaceEndsWhereItBegan) {
  EXPECT_THAT(path(failing("T.a", "path: w1/c1 -> 100.64.10.1 (11.10.16.2)")), ElementsAre("w1/c1"));
  EXPECT_EQ(compared, (Names{"w1", "w2"}));
}

TEST_F(PathTest, OfAnExchangeIsReadFromThePrintedValue) {
  EXPECT_THAT(path(failing("T.a", R"(Which is: ("w1/c1: no answer\npath: w1/c1 -> 11.10.16.2"))")),
              ElementsAre("w1/c1", "w1", "s1", "t0", "s2", "w2", "w2/c2"));
}

TEST_F(PathTest, IsNeverGuessedFromWhatTheMessageNames) {
  const auto test = failing("T.a", "Expected: can ping 11.10.0.2\n  Actual: w2.");
  EXPECT_THAT(path(test), ElementsAre("w1/c1", "w2"));
  EXPECT_FALSE(known);
}

TEST_F(PathTest, EndsWhereADamagedTopologyGoesRound) {
  places = {{"a", "worker", "b", {}}, {"b", "worker", "a", {}}};
  auto test = failing("T.a");
  test.step = FailedStep{"a", "b", "ping"};
  EXPECT_THAT(path(test), SizeIs(Le(4U)));
}

TEST_F(PathTest, IsOnePlaceIfOneIsNamedAndNoneIfNoneIs) {
  EXPECT_THAT(path(failing("T.a", "w1: no route")), ElementsAre("w1"));
  EXPECT_THAT(path(failing("T.a", "w10 and xw1")), IsEmpty());
}

}  // namespace
}  // namespace knetsim::report
