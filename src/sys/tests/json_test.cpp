// JSON that others have written, and what messages show of it.
#include "knetsim/sys/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "knetsim/sys/error.h"

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::size_t kLevels = 100'000;

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

std::string complaint(const std::string& text, const JsonRules& rules = {}) {
  try {
    return "taken: " + json_excerpt(parse_json(text, rules));
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(ParseJson, ReadsWhatTheStandardAllows) {
  const auto* const text = R"( {"a": [1, -2, 1.5, true, null, "ü\u00fc"], "b": {"c": {}}, "d": []} )";
  EXPECT_EQ(parse_json(text), json::parse(text));
  EXPECT_EQ(parse_json("18446744073709551615"), json(18446744073709551615U));
  EXPECT_EQ(parse_json(R"({"a": 1, "b": 2, "a": 3})"), json({{"a", 3}, {"b", 2}}));
}

struct Bad {
  const char* name;
  std::string text;
  std::string place;
  std::string reason;
  friend void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }
};

class BadJson : public testing::TestWithParam<Bad> {};

TEST_P(BadJson, IsRefusedWithItsPlaceInALine) {
  const auto& [name, text, place, reason] = GetParam();
  EXPECT_THAT(complaint(text), AllOf(StartsWith(place), HasSubstr(reason), Not(HasSubstr("json.exception")),
                                     Not(HasSubstr("\n")), SizeIs(testing::Lt(400U))));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadJson,
    testing::Values(Bad{"Nothing", "", "line 1, column 1", "unexpected end of input"},
                    Bad{"TrailingComma", "{\n \"a\": [1,\n 2,]}", "line 3, column 4", "unexpected ']'"},
                    Bad{"TwoDocuments", "{} {}", "line 1, column 4", "expected end of input"},
                    Bad{"NumberWithoutBounds", "{\n\"a\": 1e400}", "line 2, column", "number overflow parsing '1e400'"},
                    Bad{"NulByte", std::string("{}\0{", 4), "line 1, column 3", "a NUL byte"},
                    Bad{"LongToken", "\"" + repeated("x", 1 << 20), "line 1, column", "missing closing quote"},
                    Bad{"ControlCharacters", "[\x1b[31m", "line 1, column 2", "invalid literal"},
                    Bad{"NotUtf8", "\"\xff\"", "line 1, column 2", "ill-formed UTF-8"},
                    Bad{"DeepArrays", repeated("[", kLevels), "/0/0/0", "nested deeper than 512 levels"},
                    Bad{"DeepObjects", repeated(R"({"key":)", kLevels), "/key/key", "nested deeper than 512 levels"},
                    Bad{"DeepWhole", repeated("[", kLevels) + repeated("]", kLevels), "/0", "nested deeper"},
                    Bad{"DeepMember", R"({"a":1,"b":)" + repeated("[", kLevels) + repeated("]", kLevels) + "}", "/b/0",
                        "nested deeper"},
                    Bad{"LongKeys", repeated("{\"" + std::string(1000, 'k') + "\":", kLevels / 100), "/kkk",
                        "nested deeper"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(ParseJson, TakesWhatIsJustWithinItsBounds) {
  EXPECT_NO_THROW(parse_json("[[[1]]]", {.depth = 3}));
  EXPECT_EQ(complaint("[[[1]]]", {.depth = 2}), "/0/0: nested deeper than 2 levels");
  EXPECT_NO_THROW(parse_json("[1]", {.size = 3}));
  EXPECT_EQ(complaint("[1]", {.size = 2}), "3 bytes long, at most 2 are read");
}

TEST(ParseJson, RefusesAByteOrderMarkIfTold) {
  EXPECT_EQ(complaint("\xef\xbb\xbf{}", {.refuse_byte_order_mark = true}),
            "line 1, column 1: it begins with a byte order mark");
  EXPECT_NO_THROW(parse_json("\xef\xbb\xbf{}"));
}

TEST(ParseJson, RefusesDoubledKeysIfTold) {
  const JsonRules rules{.refuse_doubled_keys = true};
  EXPECT_EQ(complaint(R"({"a": [{"b": 1}, {"b": 1, "c": {"b": 2}, "b": 3}]})", rules),
            "/a/1/b: the key \"b\" stands twice in one object");
  EXPECT_EQ(complaint(R"({"a": null, "a": 1})", rules), "/a: the key \"a\" stands twice in one object");
  EXPECT_NO_THROW(parse_json(R"([{"a": 1}, {"a": {"a": 2}}])", rules));
}

TEST(ParseJson, NamesTheFileAsCompilersDo) {
  const auto said = [](const std::string& text) {
    return complaint(text, {.depth = 3, .size = 60, .refuse_doubled_keys = true, .file = "mine.json"});
  };
  EXPECT_THAT(said("{\n  \"a\": 1\n  \"b\": 2\n}"), StartsWith("mine.json:3:5: syntax error"));
  EXPECT_THAT(said("{\n  \"a\": [1, 2}\n}"), StartsWith("mine.json:2:13: syntax error"));
  EXPECT_THAT(said(""), StartsWith("mine.json:1:1: syntax error"));
  EXPECT_EQ(said(std::string("[\n\0]", 4)), "mine.json:2:1: a NUL byte");
  EXPECT_EQ(said("{\"a\": 1,\n\"b\": {},\n\"a\":\n2}"), "mine.json:3: /a: the key \"a\" stands twice in one object");
  EXPECT_EQ(said("{\"a\":\n[[\n[1]]]}"), "mine.json:3: /a/0/0: nested deeper than 3 levels");
  EXPECT_EQ(said(std::string(61, ' ')), "mine.json: 61 bytes long, at most 60 are read");
}

TEST(JsonExcerpt, ShowsSmallValuesWhole) {
  EXPECT_EQ(json_excerpt(json::parse(R"({"a":[1,"x",null,{"b":true}],"c":{},"d":1.5})")),
            R"({"a":[1,"x",null,{"b":true}],"c":{},"d":1.5})");
  EXPECT_EQ(json_excerpt("\x1b[31m\xff\n"), R"("\u001b[31m\ufffd\n")");
}

TEST(JsonExcerpt, BoundsDepthAndLength) {
  EXPECT_EQ(json_excerpt(json::parse("[[[[[1]]]]]")), "[[[[[…]]]]]");
  EXPECT_EQ(json_excerpt(std::string(1 << 20, 'x'), 10), "\"xxxxxxxxx…");
  EXPECT_THAT(json_excerpt(json(std::vector<int>(10'000)), 50), SizeIs(50 + std::string("…").size()));
  // Not by our door: deeper than any recursion can follow.
  EXPECT_EQ(json_excerpt(json::parse(repeated("[", kLevels) + repeated("]", kLevels))), "[[[[[…]]]]]");
}

}  // namespace
}  // namespace knetsim
