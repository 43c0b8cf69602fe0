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

}  // namespace
}  // namespace knetsim
