#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

using testing::HasSubstr;

TEST(TryInChild, ReturnsNothingWhenItWorksAndElseWhatWentWrong) {
  EXPECT_EQ(try_in_child(false, [] {}), std::nullopt);
  EXPECT_EQ(try_in_child(false, [] { throw std::runtime_error("no such link type"); }), "no such link type");
  EXPECT_EQ(try_in_child(false, [] { ::_exit(3); }), "exit code 3");
  EXPECT_THAT(try_in_child(false, [] { std::abort(); }).value_or(""), HasSubstr("SIGABRT"));
}

}  // namespace
}  // namespace knetsim
