// Foreign text in messages.
#include "knetsim/sys/text.h"

#include <gtest/gtest.h>

namespace knetsim {
namespace {

TEST(Excerpt, StaysOnOneLineAndShowsWhatCannotBeSeen) {
  EXPECT_EQ(excerpt("a\tb\x7f"), R"("a\x09b\x7f")");
  EXPECT_EQ(excerpt("one\ntwo\n"), R"("one\x0atwo")");
  EXPECT_EQ(excerpt("\xff"), R"("\xff")");
}

TEST(Excerpt, IsCutWhereItGetsLong) {
  EXPECT_EQ(excerpt("12345", 5), "\"12345\"");
  EXPECT_EQ(excerpt("123456", 5), "\"12345…\"");
}

TEST(Excerpt, SaysThatThereIsNothing) {
  EXPECT_EQ(excerpt(""), "nothing");
  EXPECT_EQ(excerpt(" \r\n"), "nothing");
}

TEST(FitForMessage, KeepsLinesAndNothingThatChangesATerminal) {
  EXPECT_EQ(fit_for_message("one\ntwo\r\x1b[2J\x7f"), "one\ntwo??[2J?");
  EXPECT_EQ(fit_for_message("123456", 5), "12345");
}

TEST(Trim, TakesBlanksAwayAtBothEnds) {
  EXPECT_EQ(trim(" \ta b\r"), "a b");
  EXPECT_EQ(trim(" \t"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> commands{"check", "doctor", "completion"};
  EXPECT_EQ(nearest("chekc", commands), "check");
  EXPECT_EQ(nearest("dokter", commands), "doctor");
  EXPECT_EQ(nearest("complete", commands), "completion");
  EXPECT_EQ(nearest("vpi", {"vip", "pods"}), "vip");
}

TEST(Nearest, SaysNothingRatherThanSomethingFarOff) {
  EXPECT_EQ(nearest("restart", {"check", "doctor"}), "");
  EXPECT_EQ(nearest("", {"check"}), "");
  EXPECT_EQ(nearest(std::string(65, 'x'), {std::string(64, 'x')}), "") << "nobody typed that";
}

}  // namespace
}  // namespace knetsim
