// A program whose global environment can't be set up. GoogleTest 1.12 then prints "[  SKIPPED ]" for its tests.

#include <gtest/gtest.h>

namespace {

class Broken : public testing::Environment {
 public:
  void SetUp() override { FAIL() << "the environment can't boot"; }
};
const auto* const environment = testing::AddGlobalTestEnvironment(new Broken);

TEST(Environment, Test) { SUCCEED(); }

}  // namespace
