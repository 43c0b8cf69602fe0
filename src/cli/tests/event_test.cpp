#include "event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knetsim::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal_of(std::string_view line) {
  try {
    parse_event(line);
  } catch (const ProtocolError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Event, HoldsWhatItsLineSaid) {
  const auto started = std::get<RunStarted>(
      parse_event(R"({"event":"run started","schema":"knetsim.events/1","program":"suite-readme","tests":12})"));
  EXPECT_EQ(started.program, "suite-readme");
  EXPECT_EQ(started.tests, 12U);

  const auto ended =
      std::get<TestEnded>(parse_event(R"({"event":"test ended","test":"Readme.vip","verdict":"failed","seconds":0.25,)"
                                      R"("reasons":[{"file":"a.cpp","line":7,"text":"no"}],"evidence":"/out/vip"})"));
  EXPECT_EQ(ended.test, "Readme.vip");
  EXPECT_EQ(ended.verdict, Verdict::failed);
  EXPECT_DOUBLE_EQ(ended.seconds, 0.25);
  EXPECT_THAT(ended.reasons, ElementsAre(Reason{"a.cpp", 7, "no"}));
  EXPECT_EQ(ended.evidence, "/out/vip");

  const auto step = std::get<StepEnded>(
      parse_event(R"({"event":"step ended","from":"w1","to":"w2","what":"ping","seconds":1e-3,"ok":false})"));
  EXPECT_EQ(step.from + step.to + step.what, "w1w2ping");
  EXPECT_FALSE(step.ok);
}

TEST(Event, IgnoresMembersAndKindsThatALaterVersionAdded) {
  EXPECT_TRUE(std::holds_alternative<TestStarted>(
      parse_event(R"({"event":"test started","test":"A.b","color":{"deep":[1,2]},"check":"x"})")));
  EXPECT_TRUE(std::holds_alternative<UnknownEvent>(parse_event(R"({"event":"coffee","cups":2})")));
}

TEST(Event, OfAnotherSchemaIsRefusedWithTheRemedy) {
  const auto words = refusal_of(R"({"event":"run started","schema":"knetsim.events/2","program":"s","tests":1})");
  EXPECT_THAT(words, HasSubstr("knetsim.events/2"));
  EXPECT_THAT(words, HasSubstr("from the same build"));
}

TEST(Event, ThatIsBrokenIsRefusedByName) {
  EXPECT_THAT(refusal_of(""), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal_of("[  SKIPPED ] Readme.vip"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal_of(R"({"event":"test ended","test":"A)"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal_of(R"({"event":"test started","test":"A.b"}{"event":"run ended"})"),
              HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal_of("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal_of("{}"), HasSubstr("\"event\" is missing"));
  EXPECT_THAT(refusal_of(R"({"event":7})"), HasSubstr("/event: 7: is a number, must be a string"));
  EXPECT_THAT(refusal_of(R"({"event":"test started"})"), HasSubstr("\"test\" is missing"));
  EXPECT_THAT(refusal_of(R"({"event":"run ended","passed":-1,"failed":0,"skipped":0})"),
              HasSubstr("/passed: -1: out of range"));
  EXPECT_THAT(refusal_of(R"({"event":"step ended","from":"a","to":"b","what":"c","seconds":"1","ok":true})"),
              HasSubstr("/seconds: \"1\": is a string, must be a number"));
  EXPECT_THAT(refusal_of(R"({"event":"step ended","from":"a","to":"b","what":"c","seconds":-1,"ok":true})"),
              HasSubstr("negative"));
  EXPECT_THAT(refusal_of(R"({"event":"test ended","test":"a","verdict":"green","seconds":1,"reasons":[]})"),
              HasSubstr("passed, failed, skipped"));
  EXPECT_THAT(refusal_of(R"({"event":"test ended","test":"a","verdict":"failed","seconds":1,"reasons":[3]})"),
              HasSubstr("/reasons/0: 3: is a number, must be an object"));
  EXPECT_THAT(refusal_of(std::string(200'000, '[')), HasSubstr("nested deeper"));
}

TEST(Event, ThatIsRefusedIsQuotedInOneShortLine) {
  const auto words = refusal_of("\x1b[31mred\n" + std::string(5000, 'x'));
  EXPECT_THAT(words, HasSubstr("\\x1b[31mred\\x0a"));
  EXPECT_LT(words.size(), 300U);
}

std::vector<std::string> texts(const std::vector<LineSplitter::Line>& lines) {
  std::vector<std::string> result;
  for (const auto& line : lines) result.push_back(line.text);
  return result;
}

TEST(LineSplitter, FindsLinesHoweverTheStreamIsCut) {
  LineSplitter splitter;
  EXPECT_THAT(texts(splitter.feed("on")), IsEmpty());
  EXPECT_THAT(texts(splitter.feed("e\ntwo\n\nth")), ElementsAre("one", "two", ""));
  EXPECT_THAT(texts(splitter.feed("ree\n")), ElementsAre("three"));
  EXPECT_THAT(splitter.finish(), IsEmpty());
}

TEST(LineSplitter, SaysOfALineWithoutItsNewlineThatItIsNotWhole) {
  LineSplitter splitter;
  splitter.feed("{\"event\":\"test en");
  const auto lines = splitter.finish();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_FALSE(lines[0].whole);
}

TEST(LineSplitter, KeepsNoMoreOfAnEndlessLineThanItsLimitAndFindsTheNext) {
  LineSplitter splitter;
  const std::string piece(300'000, 'x');
  for (int i = 0; i < 20; ++i) EXPECT_THAT(splitter.feed(piece), IsEmpty());
  const auto lines = splitter.feed("\nnext\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_FALSE(lines[0].whole);
  EXPECT_EQ(lines[0].text.size(), kLongestLine);
  EXPECT_TRUE(lines[1].whole);
  EXPECT_EQ(lines[1].text, "next");
}

}  // namespace
}  // namespace knetsim::cli
