// A suite program for the tests of knetsim check: real events, no sandbox, and FAKE says how its middle test behaves.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include "knetsim/fixtures/events.h"

namespace {

using knetsim::fixtures::Step;

std::string mode() {
  const char* set = std::getenv("FAKE");
  return set != nullptr ? set : "pass";
}

std::string flannel() {
  const char* set = std::getenv("KNETSIM_FLANNEL");
  return set != nullptr ? set : "auto";
}

class Fake : public testing::Test {};

KNETSIM_CHECK(Fake, ComesFirst, "first", "The first of three") { const Step step("C0w1", "C0w2", "ping 10.0.0.4"); }

KNETSIM_CHECK(Fake, BehavesAsTold, "middle", "The one that misbehaves") {
  const Step step("C0w1/c1", "C0w2/c2", "ping 11.13.0.2");
  if (const char* path = std::getenv("FAKE_PID_FILE")) std::ofstream(path) << ::getpid();
  if (mode() == "fail") {
    knetsim::fixtures::report_evidence("/out/evidence");
    EXPECT_EQ(1, 2) << "c2 never answered \xff, flannel is " << flannel();
  }
  if (mode() == "throw") throw std::runtime_error("out of addresses");
  if (mode() == "skip") GTEST_SKIP() << "no router here";
  if (mode() == "crash") std::abort();
  if (mode() == "daemon") {
    EXPECT_EQ(std::system("ls /proc/self/fd; echo \"variable ${KNETSIM_EVENTS_FD-unset}\""), 0);
  }
  if (knetsim::fixtures::keep_all_evidence()) knetsim::fixtures::report_evidence("/out/kept");
  if (mode() == "hang") {
    ADD_FAILURE() << "seen before the hang";
    knetsim::fixtures::report_evidence("/out/of/the/hang");
    for (;;) ::pause();
  }
}

KNETSIM_CHECK(Fake, ComesLast, "last", "The last of three") {
  { const Step step("C0w1", "", "nft list ruleset"); }
  const Step step("C1w1/c1", "C0w3/c4", "wget 10.0.0.8:1028");
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (mode() == "refuse" && !testing::GTEST_FLAG(list_tests)) {
    std::fprintf(stderr, "can't enter the sandbox: no\n  remedy: sudo\n");
    return 2;
  }
  if (testing::GTEST_FLAG(list_tests))
    knetsim::fixtures::report_listing();
  else
    knetsim::fixtures::report_events();
  const int result = RUN_ALL_TESTS();
  return mode() == "leak" && !testing::GTEST_FLAG(list_tests) ? 1 : result;
}
