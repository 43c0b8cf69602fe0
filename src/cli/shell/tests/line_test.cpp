// The prompt's language: what lines mean, and where an error is shown.
#include "shell/line.h"

#include <gmock/gmock.h>

namespace knetsim::cli::shell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> texts;
  const auto statement = parse_line(line);
  for (const auto& word : std::get<Words>(statement).words) texts.push_back(word.text);
  return texts;
}

Call call_of(const std::string& line) { return std::get<Call>(parse_line(line)); }
std::string text_at(const Call& call, std::size_t place) {
  return std::get<std::string>(call.arguments.at(place).content);
}

TEST(Line, IsEmptyWithoutWordsOrWithACommentOnly) {
  for (const auto* line : {"", "   ", "\t", "# a comment", "  # 'another", "mininet> ", ">"})
    EXPECT_TRUE(std::holds_alternative<std::monostate>(parse_line(line))) << line;
}

TEST(Line, IsWordsQuotedAsInAShell) {
  EXPECT_THAT(words_of("C0w1 ping -c 1  C0w2"), ElementsAre("C0w1", "ping", "-c", "1", "C0w2"));
  EXPECT_THAT(words_of(R"(C0w1 echo "a  b" 'c "d"' e\ f g"h"i '')"),
              ElementsAre("C0w1", "echo", "a  b", "c \"d\"", "e f", "ghi", ""));
  EXPECT_THAT(words_of(R"(C0w1 echo "a \" \\ \n" 'x\y')"), ElementsAre("C0w1", "echo", "a \" \\ \\n", "x\\y"));
  EXPECT_THAT(words_of("C0w1 ifconfig # what is there"), ElementsAre("C0w1", "ifconfig"));
}

TEST(Line, MayBePastedWithTheOriginalsPrompt) {
  EXPECT_THAT(words_of("mininet> w1 ifconfig"), ElementsAre("w1", "ifconfig"));
  EXPECT_THAT(words_of("> ps aux"), ElementsAre("ps", "aux"));
  EXPECT_EQ(call_of("mininet> py C0w1.IP()").method.text, "IP");
}

TEST(Line, NotesTheFirstThingThatNeedsAShell) {
  for (const auto& [line, place] : std::vector<std::pair<std::string, std::size_t>>{{"ps aux | grep \"skupper\"", 7},
                                                                                    {"C0w1 ls *.log", 8},
                                                                                    {"C0w1 echo $HOME", 10},
                                                                                    {"C0w1 echo \"$HOME\"", 11}}) {
    const auto words = std::get<Words>(parse_line(line));
    ASSERT_TRUE(words.needs_shell) << line;
    EXPECT_EQ(words.needs_shell->begin, place) << line;
  }
  for (const auto* line : {"C0w1 echo '$HOME | *'", "C0w1 echo \\*", "C0w1 ping C0w2 &"})
    EXPECT_FALSE(std::get<Words>(parse_line(line)).needs_shell) << line;
}

TEST(Line, GoesOnInTheBackgroundWithAnAmpersandAtTheEnd) {
  const auto words = std::get<Words>(parse_line("C0w1 ping C0w2 &"));
  EXPECT_TRUE(words.background);
  EXPECT_EQ(words.words.size(), 3U);
  EXPECT_FALSE(std::get<Words>(parse_line("C0w1 echo '&'")).background);
}

TEST(Line, IsACallWithOrWithoutPy) {
  for (const auto* line :
       {R"(py C0w1.exec_container("c1", "ping 11.13.0.2 -c 5"))", R"(C0w1.exec_container('c1', 'ping 11.13.0.2 -c 5'))",
        R"(  py   C0w1 . exec_container ( "c1" , "ping 11.13.0.2 -c 5" , ) # why)"}) {
    const auto call = call_of(line);
    EXPECT_EQ(call.object.text, "C0w1");
    EXPECT_EQ(call.method.text, "exec_container");
    ASSERT_EQ(call.arguments.size(), 2U) << line;
    EXPECT_EQ(text_at(call, 0), "c1");
    EXPECT_EQ(text_at(call, 1), "ping 11.13.0.2 -c 5");
  }
}

TEST(Line, TakesListsNumbersAndEscapesInCalls) {
  const auto call = call_of(R"(C0.kp_vip_add("100.64.10.1", ["c2", "c3"]))");
  const auto& list = std::get<std::vector<Value>>(call.arguments.at(1).content);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(std::get<std::string>(list[1].content), "c3");
  EXPECT_EQ(std::get<long>(call_of("C0.f(-12)").arguments[0].content), -12);
  EXPECT_EQ(text_at(call_of(R"(C0.f("a\"b\\c\n"))"), 0), "a\"b\\c\n");
  EXPECT_TRUE(std::get<std::vector<Value>>(call_of("C0.f([])").arguments[0].content).empty());
}

/// What is shown for a line that can't be understood.
std::string shown(const std::string& line) {
  try {
    parse_line(line);
  } catch (const LineError& error) {
    return with_caret(line, error);
  }
  return "understood";
}

TEST(Line, ShowsWithACaretWhereItCannotBeUnderstood) {
  EXPECT_EQ(shown("C0w1 echo \"a b"),
            "  C0w1 echo \"a b\n"
            "            ^\n"
            "this quote is never closed\n");
  EXPECT_EQ(shown("py C0w1.exec_container(\"c1\", ifconfig)"),
            "  py C0w1.exec_container(\"c1\", ifconfig)\n"
            "                               ^\n"
            "a text must be in quotes\n");
  const std::vector<std::pair<std::string, std::string>> cases{
      {"C0w1 echo 'a", "this quote is never closed"},
      {"C0w1 echo a\\", "nothing follows this backslash"},
      {"py", "expected a node or a cluster"},
      {"py C0w1", "expected \".\""},
      {"py C0w1.IP", "expected \"(\""},
      {"py 1+1", "expected a node or a cluster"},
      {"py C0w1.f(\"a\"", "this bracket is never closed"},
      {"py C0w1.f([\"a\"", "this bracket is never closed"},
      {"py C0w1.f(\"a)", "this quote is never closed"},
      {"py C0w1.f(\"a\" \"b\")", "expected \",\" or \")\""},
      {"py C0w1.f(\"a\"); import os", "nothing may follow it"},
      {"py C0w1.f(99999999999999999999)", "isn't a whole number"},
      {"py C0w1.f(1.5)", "must be in quotes"},
      {"py C0w1.f(\"\\q\")", "unknown escape"},
      {"py C0w1.f([[[[[[[[[[[]]]]]]]]]]])", "too deep"},
      {"&", "nothing to run"},
  };
  for (const auto& [line, words] : cases) EXPECT_THAT(shown(line), HasSubstr(words)) << line;
}

TEST(Line, PutsTheCaretBelowTheRightPlaceBehindControlAndMultibyteCharacters) {
  EXPECT_EQ(shown("\x01\xc3\xa4 \"x"),
            "  \\x01\xc3\xa4 \"x\n"
            "        ^\n"
            "this quote is never closed\n");
}

}  // namespace
}  // namespace knetsim::cli::shell
