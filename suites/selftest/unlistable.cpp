// A program that can't tell its tests.

#include <gtest/gtest.h>

#include <cstdlib>

namespace {

[[maybe_unused]] const bool broken = [] {
  std::fputs("a library is missing\n", stderr);
  std::_Exit(3);
  return true;
}();

TEST(Unlistable, Test) { SUCCEED(); }

}  // namespace
