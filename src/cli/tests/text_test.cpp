#include "text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace knetsim::cli {
namespace {

TEST(Text, IsAsWideAsItsCodePoints) {
  EXPECT_EQ(width("plain"), 5U);
  EXPECT_EQ(width("✓ … –"), 5U);
  EXPECT_EQ(pad_right("✓", 3), "✓  ");
  EXPECT_EQ(pad_left("✗", 3), "  ✗");
  EXPECT_EQ(pad_left("longer", 3), "longer");
}

TEST(Text, IsShortenedBetweenCodePoints) {
  EXPECT_EQ(shorten("✓✓✓✓", 3), "✓✓…");
  EXPECT_EQ(shorten("✓✓✓", 3), "✓✓✓");
  EXPECT_EQ(shorten("anything", 0), "anything");
  EXPECT_EQ(shorten("ab", 1), "…");
}

TEST(Text, CountsWithTheRightPlural) {
  EXPECT_EQ(count_of(1, "check"), "1 check");
  EXPECT_EQ(count_of(0, "check"), "0 checks");
}

TEST(Text, TellsSecondsWithTwoDigitsUpToTen) {
  EXPECT_EQ(seconds_text(0.614), "0.61 s");
  EXPECT_EQ(seconds_text(9.996), "10.0 s");
  EXPECT_EQ(seconds_text(120), "120.0 s");
}

TEST(Text, IsIndentedLineByLine) { EXPECT_EQ(indent("a\n\nb", "  "), "  a\n\n  b\n"); }

}  // namespace
}  // namespace knetsim::cli
