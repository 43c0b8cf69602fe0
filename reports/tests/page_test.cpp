// What the page must never do, whatever it is given; its looks are golden_test.cpp's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "html/topology.h"
#include "knetsim/report/writers.h"
#include "sample.h"

namespace knetsim::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PageTest : public testing::Test {
 protected:
  std::string page(const RunResult& run) { return html_page(run, compare(run, {}), scratch.path() / "report"); }
  Scratch scratch;
};

TEST_F(PageTest, shows_markup_and_control_characters_and_runs_none) {
  const auto text = page(sample_run(scratch.path() / "report"));
  EXPECT_THAT(text, HasSubstr("]]&gt; &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
  EXPECT_THAT(text, HasSubstr("␁␛[31m"));
  EXPECT_THAT(text, Not(HasSubstr("<script>alert")));
}

TEST_F(PageTest, loads_nothing_from_anywhere) {
  const auto text = page(sample_run(scratch.path() / "report"));
  for (const auto* reference : {"src=", "href=\"http", "url(", "@import"}) EXPECT_THAT(text, Not(HasSubstr(reference)));
}

TEST_F(PageTest, of_a_hundred_thousand_tests_is_written) {
  std::vector<TestResult> tests;
  for (int i = 0; i < 100'000; ++i)
    tests.push_back(i % 100 == 0 ? failing(fmt::format("T.{}", i)) : passing(fmt::format("T.{}", i)));
  const auto run = night(1, std::move(tests));
  EXPECT_THAT(page(run), HasSubstr("<b>1000</b> failed"));
  EXPECT_LT(summary_markdown(run, compare(run, {})).size(), std::size_t{1} << 20);
}

TEST_F(PageTest, of_huge_messages_has_a_summary_below_what_github_takes) {
  std::vector<TestResult> tests;
  for (int i = 0; i < 200; ++i) tests.push_back(failing(fmt::format("T.{}", i), std::string(kLongestReason, '|')));
  const auto run = night(1, std::move(tests));
  EXPECT_LT(summary_markdown(run, compare(run, {})).size(), std::size_t{1} << 20);
}

TEST_F(PageTest, names_evidence_that_would_be_too_much) {
  auto run = night(1, {});
  std::filesystem::create_directories(scratch.path() / "report");
  for (int i = 0; i < 80; ++i) {
    auto test = failing(fmt::format("T.{}", i));
    test.evidence = fmt::format("../out/{}", i);
    scratch.write(fmt::format("out/{}/evidence/w1/flanneld.log", i), std::string(200'000, 'x') + "the end");
    run.tests.push_back(test);
  }
  const auto text = page(run);
  EXPECT_LT(text.size(), std::size_t{5} << 20);
  EXPECT_THAT(text, HasSubstr("1 file is left out"));
  EXPECT_THAT(text, HasSubstr("the end"));
}

TEST_F(PageTest, survives_a_topology_that_is_none) {
  auto run = sample_run(scratch.path() / "report");
  const std::string file = "out/suite-readme/Readme.containers_reach_each_other/evidence/topology.json";
  for (const auto* text :
       {"", "{}", "[1]", R"([{"name":"a","kind":"switch","on":"b"},{"name":"b","kind":"switch","on":"a"}])"}) {
    scratch.write(file, text);
    EXPECT_THAT(page(run), HasSubstr("Containers reach each other"));
  }
}

class PathTest : public testing::Test {
 protected:
  std::vector<std::string> path(const TestResult& test) {
    std::vector<std::string> names;
    for (const auto place : html::path_between(places, html::ends_of_failure(places, test)))
      names.push_back(places[place].name);
    return names;
  }
  std::vector<html::Place> places{{"t0", "switch", "", {}},
                                  {"s1", "switch", "t0", {}},
                                  {"s2", "switch", "t0", {}},
                                  {"w1", "worker", "s1", {"10.0.0.3"}},
                                  {"w2", "worker", "s2", {"10.0.0.4"}},
                                  {"w1/c1", "container", "w1", {"11.10.0.2"}},
                                  {"w2/c2", "container", "w2", {"11.10.16.2"}}};
};

TEST_F(PathTest, goes_from_end_to_end_over_every_switch) {
  auto test = failing("T.a");
  test.step = FailedStep{"w1/c1", "w2/c2", "ping"};
  EXPECT_THAT(path(test), ElementsAre("w1/c1", "w1", "s1", "t0", "s2", "w2", "w2/c2"));
}

TEST_F(PathTest, is_found_in_the_words_of_the_failure_too) {
  EXPECT_THAT(path(failing("T.a", "Expected: can ping 11.10.0.2\n  Actual: w1.")), ElementsAre("w1/c1", "w1"));
}

TEST_F(PathTest, is_one_place_if_one_is_named_and_none_if_none_is) {
  EXPECT_THAT(path(failing("T.a", "w1: no route")), ElementsAre("w1"));
  EXPECT_THAT(path(failing("T.a", "w10 and xw1")), IsEmpty());
}

}  // namespace
}  // namespace knetsim::report
