// How a run in the sandbox begins, hears signals and ends, seen from outside.
#include <gmock/gmock.h>

#include <csignal>
#include <random>
#include <thread>

#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"
#include "probe.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// Children in the process group and out of it, and a main that reads stdin.
const Arguments kFamily = {probe(), "bash", "-c", "sleep 100 & setsid sleep 100 & echo ready; cat"};

ExecResult run(const Arguments& arguments, const std::string& input = {}) {
  return exec({.argv = Arguments{probe()} + arguments}, kExecTimeout, input);
}

class ExitCode : public testing::TestWithParam<int> {};
TEST_P(ExitCode, ComesOutUnchanged) {
  const auto result = run({"bash", "-c", "exit " + std::to_string(GetParam())});
  EXPECT_EQ(result.status.code(), GetParam());
  EXPECT_EQ(result.err, "");
}
INSTANTIATE_TEST_SUITE_P(Table, ExitCode, testing::Values(0, 1, 2, 77, 127, 255));

class FatalSignal : public testing::TestWithParam<int> {};
TEST_P(FatalSignal, OfTheInnerMainComesOutUnchanged) {
  const auto result = run({"bash", "-c", "ulimit -c 0; kill -" + std::to_string(GetParam()) + " $$"});
  EXPECT_EQ(result.status.signal(), GetParam());
  EXPECT_EQ(result.err, "");
}
INSTANTIATE_TEST_SUITE_P(Table, FatalSignal,
                         testing::Values(SIGHUP, SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGUSR1, SIGTERM));

TEST(Lifetime, RunsExitHandlersOfTheInnerMainOnceAndPrintsNothingTwice) {
  const auto result = run({"--exit"});
  EXPECT_EQ(result.out, "before\ninside\nat exit\n");
  EXPECT_EQ(result.status.code(), 3);
}

TEST(Lifetime, PassesStdinThrough) { EXPECT_EQ(run({"cat"}, "typed").out, "typed"); }

TEST(Lifetime, GivesTheInnerMainNoDescriptorsOfItsOwn) {
  EXPECT_EQ(run({"ls", "/proc/self/fd"}).out, "0\n1\n2\n3\n") << "3 is the directory that ls reads";
}

TEST(Lifetime, ReapsOrphans) {
  const auto result =
      run({"bash", "-c",
           "for i in {1..20}; do (setsid true &); done\n"
           "until [ $(ps -eo stat= | grep -c ^Z) = 0 ]; do :; done; ps -eo comm= | grep -c true; exit 0"});
  EXPECT_TRUE(result.ok()) << "zombies stay";
  EXPECT_EQ(result.out, "0\n");
}

TEST(Lifetime, DoesNotDependOnTheCallersInterestInItsChildren) {
  EXPECT_TRUE(exec({.argv = {"env", "--ignore-signal=CHLD", probe(), "bash", "-c", "sleep 0; true"}}).ok());
}

class ForwardedSignal : public testing::TestWithParam<int> {};
TEST_P(ForwardedSignal, ReachesTheInnerMain) {
  Flight signals({probe(), "--signals"});
  signals.wait_for("ready");
  ::kill(signals.pid(), GetParam());
  signals.wait_for("SIG" + std::string(::sigabbrev_np(GetParam())) + " from a process");
  ::kill(signals.pid(), SIGTERM);
  EXPECT_EQ(signals.wait().code(), 7);
}
INSTANTIATE_TEST_SUITE_P(Table, ForwardedSignal, testing::Values(SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2));

TEST(ForwardedSignal, IsNotLostWhenItComesDuringTheStart) {
  for (int i = 0; i < 20; ++i) {
    Flight sleeper(kFamily);
    std::this_thread::sleep_for(std::chrono::microseconds(300 * i));  // the moment is what varies
    ::kill(sleeper.pid(), SIGTERM);
    EXPECT_EQ(sleeper.wait().signal(), SIGTERM);
    sleeper.wait_until_all_have_gone();
  }
}

// The terminal sends it to the whole foreground process group, inner main included.
TEST(ForwardedSignal, OfATerminalArrivesOnlyOnce) {
  auto signals = PtyProcess::spawn({.argv = {probe(), "--signals"}});
  signals.expect("ready\r\n");
  signals.write("\x03");
  signals.expect("SIGINT from a terminal\r\n");
  // On the same way as a second SIGINT would come, and after it.
  signals.signal(SIGTERM);
  EXPECT_EQ(signals.expect("SIGTERM from a process\r\n"), "SIGTERM from a process\r\n");
  EXPECT_EQ(signals.wait().code(), 7);
}

TEST(Lifetime, EndsForEverythingInsideWhenTheInnerMainDoes) {
  Flight run({probe(), "bash", "-c", "sleep 100 & setsid sleep 100 & echo ready"});
  EXPECT_EQ(run.wait().code(), 0);
  run.wait_until_all_have_gone();
}

TEST(Lifetime, EndsForEverythingInsideWhenTheOuterProcessIsKilled) {
  Flight run(kFamily);
  run.wait_for("ready");
  ::kill(run.pid(), SIGKILL);
  run.wait_until_all_have_gone();
}

TEST(Lifetime, EndsForEverythingInsideWhenTheOuterProcessIsKilledAtAnyMoment) {
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> microseconds(0, 8000);
  int started = 0;
  for (int i = 0; i < 50; ++i) {
    Flight run(kFamily);
    const auto moment = microseconds(random);
    SCOPED_TRACE("killed " + std::to_string(moment) + " us after its start");
    std::this_thread::sleep_for(std::chrono::microseconds(moment));
    ::kill(run.pid(), SIGKILL);
    ASSERT_NO_THROW(run.wait_until_all_have_gone());
    if (!run.output().empty()) ++started;
  }
  RecordProperty("started", started);
  EXPECT_THAT(fs::directory_iterator("/tmp/knetsim"), fs::directory_iterator()) << "nothing is left on the host";
}

TEST(Lifetime, EndsWhenInitIsKilledAndSaysSo) {
  Flight run(kFamily);
  run.wait_for("ready");
  const auto pid = std::to_string(run.pid());
  const pid_t init = std::stoi(read_file("/proc/" + pid + "/task/" + pid + "/children"));
  ::kill(init, SIGKILL);
  EXPECT_EQ(run.wait().code(), 2);
  run.wait_until_all_have_gone();
  EXPECT_THAT(run.output(), HasSubstr("the sandbox's init ended"));
}

}  // namespace
}  // namespace knetsim
