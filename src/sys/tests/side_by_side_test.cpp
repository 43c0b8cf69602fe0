#include "knetsim/sys/side_by_side.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>
#include <vector>

namespace knetsim {
namespace {

TEST(SideBySide, EveryTurnIsTakenOnce) {
  std::vector<std::atomic<int>> taken(100);
  side_by_side(taken.size(), 3, [&](std::size_t i) { ++taken[i]; });
  for (const auto& times : taken) EXPECT_EQ(times, 1);
  side_by_side(0, 3, [](std::size_t) { FAIL() << "there is nothing to do"; });
}

TEST(SideBySide, AsManyRunAtOnceAsThereAreThreads) {
  std::latch all(3);
  side_by_side(3, 3, [&](std::size_t) { all.arrive_and_wait(); });  // wouldn't end one after the other
}

TEST(SideBySide, AllHaveEndedWhenOneHasFailed) {
  std::atomic<int> ended = 0;
  std::latch failed(1);
  EXPECT_THROW(side_by_side(4, 4,
                            [&](std::size_t i) {
                              if (i == 0) {
                                failed.count_down();
                                throw std::runtime_error("the first");
                              }
                              failed.wait();
                              ++ended;
                            }),
               std::runtime_error);
  EXPECT_EQ(ended, 3);
}

}  // namespace
}  // namespace knetsim
