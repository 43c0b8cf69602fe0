// Tests that must come out red (or skipped, or green) in a ctest run. They are never registered in the project's own
// run: red_is_red_test.py runs each in a ctest of its own and looks at what becomes of it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace {

TEST(Control, Passes) { SUCCEED(); }

TEST(Control, Skips) { GTEST_SKIP() << "no such daemon here"; }

TEST(Control, Fails) { EXPECT_EQ(1, 2); }

class BootThrows : public testing::Test {
 protected:
  void SetUp() override { throw std::runtime_error("the topology can't boot"); }
};
TEST_F(BootThrows, Test) { SUCCEED(); }

class BootFails : public testing::Test {
 protected:
  void SetUp() override { FAIL() << "the topology can't boot"; }
};
TEST_F(BootFails, Test) { SUCCEED(); }

class SuiteBootFails : public testing::Test {
 protected:
  static void SetUpTestSuite() { FAIL() << "the suite can't boot"; }
};
TEST_F(SuiteBootFails, Test) { SUCCEED(); }

class SuiteBootThrows : public testing::Test {
 protected:
  static void SetUpTestSuite() { throw std::runtime_error("the suite can't boot"); }
};
TEST_F(SuiteBootThrows, Test) { SUCCEED(); }

class TearDownFails : public testing::Test {
 protected:
  void TearDown() override { ADD_FAILURE() << "a daemon died unnoticed"; }
};
TEST_F(TearDownFails, Test) { SUCCEED(); }

class FailsThenSkips : public testing::Test {
 protected:
  void SetUp() override { ADD_FAILURE() << "the topology can't boot"; }
};
TEST_F(FailsThenSkips, Test) { GTEST_SKIP() << "nothing to test"; }

TEST(Prints, SkippedAndFails) {
  std::puts("[  SKIPPED ] Prints.SkippedAndFails (0 ms)");
  FAIL();
}

TEST(Prints, PassedAndFails) {
  std::puts("[  PASSED  ] 1 test.");
  FAIL();
}

TEST(Crashes, BySegmentationFault) { std::raise(SIGSEGV); }

TEST(Crashes, ByAbort) { std::abort(); }

TEST(Crashes, ByKill) { ::kill(::getpid(), SIGKILL); }

TEST(Crashes, LikeASanitizer) {
  std::fputs("==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010\n", stderr);
  ::_exit(1);
}

// A leak is reported when all tests are over, and the result file says "passed" by then.
TEST(Crashes, LikeALeakAtExit) {
  std::atexit([] {
    std::fputs("==1==ERROR: LeakSanitizer: detected memory leaks\n", stderr);
    ::_exit(23);
  });
}

TEST(Hangs, ForEver) {
  for (;;) ::pause();
}

TEST(Leaves, WithCodeZero) { ::_exit(0); }

TEST(Leaves, WithTheCodeOfASkip) { ::_exit(77); }

TEST(Leaves, ADaemonThatHoldsTheOutput) {
  if (::fork() != 0) return;
  ::setsid();
  for (;;) ::pause();
}

}  // namespace
