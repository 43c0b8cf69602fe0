// JSON that others have written, taken apart: what is refused names its place, whatever it is.
#include "knetsim/sys/json_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>

namespace knetsim {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::size_t kUnfollowable = 100'000;

template <typename Read>
std::string said_by(Read read) {
  try {
    read();
    return "taken";
  } catch (const InputError& error) {
    return error.what();
  }
}

template <typename Read>
std::string said_of(const std::string& text, Read read, const JsonRules& rules = {}) {
  return said_by([&] {
    const auto document = read_json({.file = "a.json", .text = text, .help = "see the manual"}, rules);
    read(JsonPlace(document));
  });
}

struct Refused {
  const char* name;
  std::string text;
  void (*read)(const JsonPlace& at);
  std::string said;
  friend void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }
};

class RefusedPlace : public testing::TestWithParam<Refused> {};

TEST_P(RefusedPlace, IsNamedWithLineValueProblemAndRemedy) {
  const auto& [name, text, read, said] = GetParam();
  EXPECT_EQ(said_of(text, read), said);
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedPlace,
    testing::Values(
        Refused{"Missing", "{\n\"a\": {}}", [](const JsonPlace& at) { at["a"]["b"]; },
                "a.json:2: /a/b: the key \"b\" is missing\n  remedy: add it"},
        Refused{"MemberOfAnArray", "[7]", [](const JsonPlace& at) { at.find("a"); },
                "a.json:1: /: [7]: is an array, must be an object\n  remedy: put it in { }"},
        Refused{"ElementOfAnObject", "\n{}", [](const JsonPlace& at) { at[0]; },
                "a.json:2: /: {}: is an object, must be an array\n  remedy: put it in [ ]"},
        Refused{"ElementThatIsNotThere", "{\"a\": [1]}", [](const JsonPlace& at) { at["a"][1]; },
                "a.json:1: /a: [1]: has 1 elements, where 2 are needed\n  remedy: see the manual"},
        Refused{"UnknownMember", "{\"a\": [{},\n{\"wrokers\": 5}]}",
                [](const JsonPlace& at) {
                  at["a"][1].expect_members({"name", "workers"});
                },
                "a.json:2: /a/1/wrokers: 5: unknown key \"wrokers\"\n  remedy: did you mean \"workers\"? known here "
                "are name, workers"},
        Refused{"UnknownMemberUnlikeAny", "{\"x\": null}",
                [](const JsonPlace& at) {
                  at.expect_members({"name", "workers"});
                },
                "a.json:1: /x: null: unknown key \"x\"\n  remedy: known here are name, workers"},
        Refused{"NumberForAString", "{\"a\": 7}", [](const JsonPlace& at) { at["a"].string(); },
                "a.json:1: /a: 7: is a number, must be a string\n  remedy: put it in quotes"},
        Refused{"NullForABoolean", "[null]", [](const JsonPlace& at) { at[0].boolean(); },
                "a.json:1: /0: null: is null, must be true or false\n  remedy: write it without quotes"},
        Refused{"NoSuchChoice", "\"c\"",
                [](const JsonPlace& at) {
                  at.choice({"a", "b"});
                },
                "a.json:1: /: \"c\": no such choice\n  remedy: one of a, b"},
        Refused{"LongString", "[\"four\"]", [](const JsonPlace& at) { at[0].string_up_to(3); },
                "a.json:1: /0: \"four\": is 4 bytes long\n  remedy: at most 3 bytes"},
        Refused{"StringForAnInteger", "\"7\"", [](const JsonPlace& at) { at.integer<int>(); },
                "a.json:1: /: \"7\": is a string, must be a whole number\n  remedy: a whole number from -2147483648 to "
                "2147483647, without quotes"},
        Refused{"AboveARange", "[1,\n2,\n4]", [](const JsonPlace& at) { at[2].integer(1U, 3U); },
                "a.json:3: /2: 4: out of range\n  remedy: a whole number from 1 to 3, without quotes"},
        Refused{"BelowARange", "[1]", [](const JsonPlace& at) { at[0].integer(2U, 3U); },
                "a.json:1: /0: 1: out of range\n  remedy: a whole number from 2 to 3, without quotes"},
        Refused{"NegativeForUnsigned", "-1", [](const JsonPlace& at) { at.integer<std::uint64_t>(); },
                "a.json:1: /: -1: out of range\n  remedy: a whole number from 0 to 18446744073709551615, without "
                "quotes"},
        Refused{"UnsignedForSigned", "9223372036854775808", [](const JsonPlace& at) { at.integer<std::int64_t>(); },
                "a.json:1: /: 9223372036854775808: out of range\n  remedy: a whole number from -9223372036854775808 to "
                "9223372036854775807, without quotes"},
        Refused{"HugeInteger", "99999999999999999999", [](const JsonPlace& at) { at.integer<std::uint64_t>(); },
                "a.json:1: /: 1e+20: must be a whole number\n  remedy: a whole number from 0 to "
                "18446744073709551615, without quotes"},
        Refused{"FractionForAnInteger", "1.0", [](const JsonPlace& at) { at.integer(0, 9); },
                "a.json:1: /: 1.0: must be a whole number\n  remedy: a whole number from 0 to 9, without quotes"},
        Refused{"StringForAReal", "\"1\"", [](const JsonPlace& at) { at.real(); },
                "a.json:1: /: \"1\": is a string, must be a number\n  remedy: write it without quotes"},
        Refused{
            "ParsersRefusal", "{\"a\": \"x\"}",
            [](const JsonPlace& at) { at["a"].parsed([](const auto&) -> int { throw InputError("isn't a port"); }); },
            "a.json:1: /a: \"x\": isn't a port\n  remedy: see the manual"},
        Refused{"ParsersRefusalWithARemedy", "\"x\"",
                [](const JsonPlace& at) {
                  at.parsed([](const auto&) -> int { throw InputError("isn't one\n  remedy: write one"); });
                },
                "a.json:1: /: \"x\": isn't one\n  remedy: write one"},
        Refused{"EscapedKeys", "{\"a/b~\": {\"\\u001b[31m\\n\": 1}}",
                [](const JsonPlace& at) { at["a/b~"]["\x1b[31m\n"].string(); },
                "a.json:1: /a~1b~0/\\u001b[31m\\u000a: 1: is a number, must be a string\n  remedy: put it in quotes"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(JsonPlace, ReadsWhatIsThere) {
  const auto document = read_json({.text = R"({"s": "x", "b": true, "i": -5, "u": 18446744073709551615, "r": 1.5,
      "list": [1, 2], "one": 3, "none": null})"});
  const JsonPlace at(document);
  EXPECT_EQ(at["s"].string(), "x");
  EXPECT_EQ(at["s"].choice({"x", "y"}), "x");
  EXPECT_EQ(at["s"].parsed([](const auto& text) { return text.size(); }), 1U);
  EXPECT_TRUE(at["b"].boolean());
  EXPECT_EQ(at["i"].integer<int>(), -5);
  EXPECT_EQ(at["i"].integer(-5, -5), -5);
  EXPECT_EQ(at["u"].integer<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(at["r"].real(), 1.5);
  EXPECT_EQ(at["i"].real(), -5);
  EXPECT_THAT(at["list"].each([](const JsonPlace& one) { return one.integer<int>(); }), ElementsAre(1, 2));
  EXPECT_THAT(at["one"].one_or_more(), SizeIs(1));
  EXPECT_THAT(at["list"].one_or_more(), SizeIs(2));
  EXPECT_THAT(at.elements("nowhere"), IsEmpty());
  EXPECT_TRUE(at.has("none"));
  EXPECT_FALSE(at.has("nowhere"));
  std::string text = "before";
  at.take("nowhere", text, &JsonPlace::string);
  EXPECT_EQ(text, "before");
  at.take("s", text, &JsonPlace::string);
  EXPECT_EQ(text, "x");
}

TEST(JsonPlace, FindsMembersAsGosDecoderDoesIfTold) {
  const auto document = read_json({.text = R"({"Network": 1, "NETWORK": 2, "subnetlen": 3, "MTU": null, "Colour": 4})"},
                                  {.null_is_absent = true, .keys_in_any_case = true});
  const JsonPlace at(document);
  EXPECT_EQ(at["Network"].integer<int>(), 1) << "the exact one goes first";
  EXPECT_EQ(at["SubnetLen"].integer<int>(), 3);
  EXPECT_FALSE(at.has("MTU"));
  const auto others = at.members_other_than({"network", "SubnetLen", "mtu"});
  ASSERT_THAT(others, SizeIs(1));
  EXPECT_EQ(others[0].pointer(), "/Colour");
  const auto exact = read_json({.text = R"({"network": 1})"});
  EXPECT_FALSE(JsonPlace(exact).has("Network"));
}

TEST(JsonPlace, TellsWhatItRefusesInParts) {
  const JsonDocument document{.value = {{"a", {{"b", 7}}}}};
  try {
    JsonPlace(document)["a"]["b"].refuse("is odd", "make it even");
  } catch (const JsonError& error) {
    EXPECT_EQ(error.complaint().pointer, "/a/b");
    EXPECT_EQ(error.complaint().value, "7");
    EXPECT_EQ(error.complaint().problem, "is odd");
    EXPECT_EQ(error.complaint().remedy, "make it even");
    EXPECT_STREQ(error.what(), "/a/b: 7: is odd\n  remedy: make it even") << "no file, no line, no text to count in";
  }
}

TEST(JsonPlace, SaysOneLineToProgramsIfTold) {
  const JsonDocument document{.value = json::object(), .source = {}, .rules = {.remedies = false}};
  const JsonPlace at(document);
  EXPECT_EQ(said_by([&] { at.boolean(); }), "/: {}: is an object, must be true or false");
  EXPECT_EQ(said_by([&] { at["a"].boolean(); }), "/a: the key \"a\" is missing");
}

TEST(JsonPlace, BoundsDepthSizeAndStringsByTheDocumentsRules) {
  const auto whole = [](const JsonPlace&) {};
  const auto deep = std::string(kUnfollowable, '[') + std::string(kUnfollowable, ']');
  EXPECT_THAT(said_of(deep, whole), AllOf(StartsWith("a.json"), HasSubstr("nested deeper than 512 levels")));
  EXPECT_THAT(said_of("[[1]]", whole, {.depth = 1}), HasSubstr("nested deeper than 1 levels"));
  EXPECT_THAT(said_of("[1]", whole, {.size = 2}), HasSubstr("3 bytes long, at most 2"));
  EXPECT_EQ(said_of("{\"a\": [{\"b\": 1,\n\"b\": 2}]}", whole, {.refuse_doubled_keys = true}),
            "a.json:2: /a/0/b: the key \"b\" stands twice in one object\n  remedy: see the manual");
  EXPECT_THAT(said_of("[NaN]", whole), AllOf(StartsWith("a.json"), HasSubstr("invalid literal")));
  EXPECT_THAT(said_of("[1e400]", whole), HasSubstr("number overflow"));
  EXPECT_THAT(said_of("", whole), AllOf(StartsWith("a.json"), HasSubstr("remedy: see the manual")));
  const auto read = [](const JsonPlace& at) { at[0].string(); };
  EXPECT_EQ(said_of("[\"abc\"]", read, {.string = 3}), "taken");
  EXPECT_THAT(said_of("[\"abcd\"]", read, {.string = 3}), HasSubstr("/0: \"abcd\": is 4 bytes long"));
}

TEST(JsonPlace, ComplainsInAFewBytesOfWhateverStandsThere) {
  for (const auto& text :
       {"{\"" + std::string(1 << 20, 'k') + "\": 1}", "{\"k\": \"" + std::string(1 << 20, 'v') + "\"}",
        std::string("{\"\\u0000\\u001b\\u007f\": \"\\u0000\\u001b\\u007f\"}")}) {
    const auto said = said_of(text, [](const JsonPlace& at) { at.expect_members({"a"}); });
    EXPECT_THAT(said, AllOf(StartsWith("a.json:1: /"), HasSubstr("unknown key"), SizeIs(testing::Lt(600U)),
                            Not(HasSubstr("\x1b")), Not(HasSubstr("\x7f"))));
  }
  const auto said = said_of("7", [](const JsonPlace& at) { at.refuse("\x1b" + std::string(1 << 20, 'x')); });
  EXPECT_THAT(said, AllOf(StartsWith("a.json:1: /: 7: ?xxx"), SizeIs(testing::Lt(1'200U))));
}

// By another door than ours: numbers that no text has, and more levels than any recursion can follow.
TEST(JsonPlace, HoldsForDocumentsThatWereMadeInCode) {
  for (const double odd : {std::nan(""), HUGE_VAL}) {
    const JsonDocument document{.value = odd};
    EXPECT_THAT(said_by([&] { JsonPlace(document).real(); }), HasSubstr("must be a finite number"));
    EXPECT_THAT(said_by([&] { JsonPlace(document).integer<int>(); }), HasSubstr("must be a whole number"));
  }
  const JsonDocument deep{.value =
                              json::parse(std::string(kUnfollowable, '[') + "1" + std::string(kUnfollowable, ']'))};
  const auto* inmost = &deep.value;
  JsonPlace at(deep);
  for (; inmost->is_array(); inmost = &inmost->front()) at = at[0];
  EXPECT_EQ(at.pointer().size(), 2 * kUnfollowable);
  EXPECT_THAT(said_by([&] { at.string(); }), SizeIs(testing::Lt(400U)));
}

TEST(JsonPlace, NamesTheLineOfTheNearestThatIsThere) {
  const JsonSource source{.file = "t.json", .text = "{\n\"a\": [1,\n 2, {\"b\":\n\n 5\n}]}"};
  EXPECT_EQ(source.place(""), "t.json:1: /");
  EXPECT_EQ(source.place("/a"), "t.json:2: /a");
  EXPECT_EQ(source.place("/a/1"), "t.json:3: /a/1");
  EXPECT_EQ(source.place("/a/2/b"), "t.json:5: /a/2/b");
  EXPECT_EQ(source.place("/a/2/c"), "t.json:3: /a/2/c") << "it is missing from what begins there";
  EXPECT_EQ((JsonSource{.file = "t.json"}.place("/a")), "t.json: /a");
  EXPECT_EQ(JsonSource{}.place("/a"), "/a");
}

}  // namespace
}  // namespace knetsim
