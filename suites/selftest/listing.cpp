// Tests whose parameters print as what CMake takes for lists, comments and references. Each must be found and run.

#include <gtest/gtest.h>

#include <string>

namespace {

class Listing : public testing::TestWithParam<std::string> {};

TEST_P(Listing, Test) { EXPECT_FALSE(GetParam().empty()); }

INSTANTIATE_TEST_SUITE_P(Odd, Listing,
                         testing::Values("a;b", "[1, 2", "3]", "x # y", "${HOME}", "a\\;b\n  Not.A", "\"", "plain"));

template <typename T>
class Typed : public testing::Test {};
using Types = testing::Types<int, std::pair<int, std::string>>;
TYPED_TEST_SUITE(Typed, Types);

TYPED_TEST(Typed, Test) { EXPECT_EQ(TypeParam{}, TypeParam{}); }

}  // namespace
