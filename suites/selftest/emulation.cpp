// Tests on a real emulation that must be red: robustness_suite.cpp runs them one by one and looks at what is left.

#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/events.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"

namespace knetsim::fixtures {
namespace {

class Red : public EmulationTest {
 protected:
  void SetUp() override { boot(topology("pair.json")); }
};

TEST_F(Red, Fails) { FAIL() << "on purpose"; }

TEST_F(Red, LosesAPacket) {
  ASSERT_THAT(worker("w2").exec({"ip", "link", "set", "flannel.100", "down"}), Succeeds());
  const Step step("w1/c1", "w2/c2", "ping");
  EXPECT_THAT(worker("w1").container("c1"), CanPing(worker("w2").container("c2")));
}

TEST_F(Red, Crashes) { std::raise(SIGSEGV); }

TEST_F(Red, Hangs) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  never.wait(lock, [] { return false; });
}

TEST_F(Red, LosesADaemon) {
  auto& flanneld = worker("w1").flanneld().process();
  flanneld.signal(SIGKILL);
  flanneld.wait(std::chrono::seconds(5));
  SUCCEED() << "every assertion holds";
}

class RedBoot : public EmulationTest {
 protected:
  void SetUp() override {
    // etcd finds a file where it wants to have its directory, and gives up.
    std::filesystem::create_directories("/tmp/knetsim/e1/etcd");
    std::ofstream("/tmp/knetsim/e1/etcd/member") << "in the way";
    boot(topology("pair.json"));
  }
};

TEST_F(RedBoot, Fails) { SUCCEED() << "never comes here"; }

}  // namespace
}  // namespace knetsim::fixtures
