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

}  // namespace
}  // namespace knetsim
