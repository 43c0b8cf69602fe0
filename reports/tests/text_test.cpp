#include "text.h"

#include <gtest/gtest.h>

namespace knetsim::report {
namespace {

TEST(Clean, ReplacesWhatIsNotUtf8AndKeepsTheRest) {
  EXPECT_EQ(clean("a\xff\xc3\xa9\xe2\x82"), "a\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(clean("\xed\xa0\x80").find('\xed'), std::string::npos) << "a lone surrogate";
}

TEST(Clean, CutsAtACharacterAndTellsHowMuchIsGone) {
  EXPECT_EQ(clean("ab\xc3\xa9z", 3), "ab\n... (3 more bytes)");
  EXPECT_EQ(clean("abc", 3), "abc");
}

TEST(EscapeHtml, LeavesNoMarkupAndShowsControlCharacters) {
  EXPECT_EQ(escape_html("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
  EXPECT_EQ(escape_html(std::string("\0\x1b\x7f\n", 4)), "␀␛␡\n");
  EXPECT_EQ(escape_html("é\xff"), "é\xEF\xBF\xBD");
}

TEST(EscapeXml, ReplacesWhatXmlCannotHold) {
  EXPECT_EQ(escape_xml("]]>\x01\xEF\xBF\xBF"), "]]&gt;\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(EscapeMarkdown, KeepsACellOnePlainLine) {
  EXPECT_EQ(escape_markdown("a|b\n<i> *x* `y`"), "a\\|b &lt;i&gt; \\*x\\* \\`y\\`");
}

TEST(EscapeCommand, KeepsACommandOneLine) {
  EXPECT_EQ(escape_command("50%\r\n::error::x"), "50%25%0D%0A::error::x");
  EXPECT_EQ(escape_command_property("a:b,c"), "a%3Ab%2Cc");
}

TEST(SecondsText, HasTheUnitThatIsReadEasily) {
  EXPECT_EQ(seconds_text(0.0614), "61 ms");
  EXPECT_EQ(seconds_text(1.239), "1.24 s");
  EXPECT_EQ(seconds_text(12.34), "12.3 s");
  EXPECT_EQ(seconds_text(125), "2 min 5 s");
}

TEST(FigureText, HasThreeDigits) {
  EXPECT_EQ(figure_text(0.4123, "s"), "412 ms");
  EXPECT_EQ(figure_text(0.0000041, "s"), "4.10 µs");
  EXPECT_EQ(figure_text(2.5e9, "B/s"), "2.50 GB/s");
  EXPECT_EQ(figure_text(96, "KiB"), "96.0 KiB");
}

TEST(InWords, ReadsNamesOfTestsAloud) {
  EXPECT_EQ(in_words("Readme.etcd_is_healthy"), "Readme.etcd is healthy");
  EXPECT_EQ(in_words("Vip.OneVipsTurns/builtin"), "Vip.One vips turns, builtin");
}

TEST(Markdown, CodeAndBlocksHoldAnyText) {
  EXPECT_EQ(code_span("a_b*c"), "`a_b*c`");
  EXPECT_EQ(code_span("a `b` c"), "``a `b` c``");
  EXPECT_EQ(code_span("`"), "`` ` ``");
  EXPECT_EQ(code_span("one\ntwo"), "`one two`");
  EXPECT_EQ(fenced_block("one\n\ntwo\n"), "```text\none\n\ntwo\n```\n");
  EXPECT_EQ(fenced_block("one\n\ntwo", "  "), "  ```text\n  one\n\n  two\n  ```\n");
  EXPECT_EQ(fenced_block("```\n</details>", "  "), "  ````text\n  ```\n  </details>\n  ````\n");
}

}  // namespace
}  // namespace knetsim::report
