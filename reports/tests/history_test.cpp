#include "history.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.h"

namespace knetsim::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kHead =
    R"({"schema":"knetsim.history/1","started":"2026-11-01T01:00:00Z","commit":"c","verdict":"red"})";

class HistoryTest : public testing::Test {
 protected:
  History read() { return read_history(scratch.path(), started(30)); }
  Scratch scratch;
};

TEST_F(HistoryTest, ComesBackAsItWasAppended) {
  auto run = night(2, {passing("T.a"), failing("T.b")});
  run.figures = {{"boot", "s", 0.5, 0, 0}};
  run.coverage = {{"src", 100, 90}};
  append_night(scratch.path(), run, false);
  append_night(scratch.path(), night(1, {passing("T.a")}), true);
  const auto history = read();
  ASSERT_THAT(history.nights, SizeIs(2));
  EXPECT_EQ(history.nights[0].started, started(1));
  EXPECT_TRUE(history.nights[0].green);
  EXPECT_FALSE(history.nights[1].green);
  EXPECT_EQ(history.nights[1].commit, run.fact("commit"));
  EXPECT_EQ(history.nights[1].covered, 90);
  ASSERT_THAT(history.tests.at("suite-vip:T.a"), SizeIs(2));
  ASSERT_THAT(history.tests.at("suite-vip:T.b"), SizeIs(1));
  EXPECT_EQ(history.tests.at("suite-vip:T.b")[0].outcome, Outcome::failed);
  EXPECT_FLOAT_EQ(history.tests.at("suite-vip:T.b")[0].seconds, 0.2F);
  EXPECT_EQ(history.figures.at("boot").unit, "s");
  EXPECT_THAT(history.figures.at("boot").values, ElementsAre(std::pair(1U, 0.5)));
}

TEST_F(HistoryTest, HasANightOnceHoweverOftenItIsAppended) {
  append_night(scratch.path(), night(1, {passing("T.a")}), true);
  append_night(scratch.path(), night(1, {failing("T.a")}), false);
  const auto history = read();
  ASSERT_THAT(history.nights, SizeIs(1));
  EXPECT_EQ(history.tests.at("suite-vip:T.a").at(0).outcome, Outcome::failed);
}

TEST_F(HistoryTest, IsEmptyWhereThereIsNone) {
  EXPECT_THAT(read_history(scratch.path() / "absent", started(1)).nights, IsEmpty());
}

TEST_F(HistoryTest, LeavesOutANightOfAnotherSchemaAndNamesIt) {
  append_night(scratch.path(), night(2, {passing("T.a")}), true);
  scratch.write("20261101T010000Z.jsonl", R"({"schema":"knetsim.history/7","started":"x"})"
                                          "\n");
  const auto history = read();
  EXPECT_THAT(history.nights, SizeIs(1));
  EXPECT_THAT(history.problems,
              ElementsAre(AllOf(HasSubstr("20261101T010000Z.jsonl:1"), HasSubstr("knetsim.history/7"))));
}

TEST_F(HistoryTest, LeavesOutANightWithADamagedLineWhole) {
  const std::string good = R"({"test":"suite-vip:T.a","outcome":"passed","seconds":1})";
  for (const auto* bad : {R"({"test":"suite-vip:T.b","outcome":"pas)", R"({"test":"x","outcome":"odd","seconds":1})",
                          R"({"test":"x","outcome":"passed"})", R"({"test":"x","outcome":"passed","seconds":"1"})",
                          "nonsense", R"([1,2])", R"({"other":1})"}) {
    scratch.write("20261101T010000Z.jsonl", std::string(kHead) + "\n" + good + "\n" + bad + "\n");
    const auto history = read();
    EXPECT_THAT(history.nights, IsEmpty()) << bad;
    EXPECT_THAT(history.tests, IsEmpty()) << bad;
    EXPECT_THAT(history.problems, ElementsAre(HasSubstr("20261101T010000Z.jsonl:"))) << bad;
  }
}

TEST_F(HistoryTest, LeavesOutAnEmptyFile) {
  scratch.write("20261101T010000Z.jsonl", "");
  EXPECT_THAT(read().problems, ElementsAre(HasSubstr("20261101T010000Z.jsonl:1")));
}

TEST_F(HistoryTest, IgnoresMembersThatItDoesNotKnow) {
  scratch.write("20261101T010000Z.jsonl",
                std::string(kHead) + "\n" + R"({"mood":{"a":[1]},"test":"T","outcome":"flaky","seconds":0.5})" + "\n");
  EXPECT_EQ(read().tests.at("T").at(0).outcome, Outcome::flaky);
}

TEST_F(HistoryTest, ForgetsWhatIsOlderThanAHundredNights) {
  for (int number = 0; number < 103; ++number)
    scratch.write(fmt::format("2026{:04}T010000Z.jsonl", number), std::string(kHead) + "\n");
  EXPECT_THAT(read().nights, SizeIs(100));
}

}  // namespace
}  // namespace knetsim::report
