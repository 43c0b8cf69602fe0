#include "statistics.h"

#include <gtest/gtest.h>

namespace knetsim::report {
namespace {

TEST(Median, IsTheMiddleOrBetweenTheTwoInTheMiddle) {
  EXPECT_DOUBLE_EQ(median({3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_DOUBLE_EQ(median({}), 0);
}

// Of the 20 ways to choose 3 ranks of 6, one sums up to 15 and one to 14.
TEST(MannWhitney, CountsTheChoicesThatAreAsHigh) {
  EXPECT_DOUBLE_EQ(mann_whitney({1, 2, 3}, {4, 5, 6}), 1.0 / 20);
  EXPECT_DOUBLE_EQ(mann_whitney({1, 2, 4}, {3, 5, 6}), 2.0 / 20);
  EXPECT_DOUBLE_EQ(mann_whitney({4, 5, 6}, {1, 2, 3}), 1);
}

// The published example of Mann and Whitney's table: n = m = 5, U = 4 has a one-sided probability of 0.048.
TEST(MannWhitney, AgreesWithThePublishedTable) {
  EXPECT_NEAR(mann_whitney({1, 2, 3, 4, 9}, {5, 6, 7, 8, 10}), 0.048, 0.0005);
}

TEST(MannWhitney, GivesTiesTheirSharedRank) {
  EXPECT_DOUBLE_EQ(mann_whitney({1, 1, 1}, {1, 1, 1}), 1);
  // Ranks 1.5 1.5 | 3.5 3.5: one choice of the six is as high.
  EXPECT_DOUBLE_EQ(mann_whitney({1, 1}, {2, 2}), 1.0 / 6);
}

TEST(MannWhitney, KnowsNothingOfAnEmptySide) { EXPECT_DOUBLE_EQ(mann_whitney({}, {1, 2}), 1); }

}  // namespace
}  // namespace knetsim::report
