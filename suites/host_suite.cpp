// The host, seen from outside every sandbox: whatever happens to a run, the host stays as it was.

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <random>

#include "knetsim/fixtures/host_state.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using fixtures::differences;
using fixtures::host_state;
using fixtures::HostState;
using testing::IsEmpty;

/// Processes whose environment holds this variable: a run hands it on to all that it starts.
std::vector<std::string> processes_marked(const std::string& mark) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    try {
      if (read_file(entry.path() / "environ").find(mark) != std::string::npos)
        found.push_back(name + " " + read_file(entry.path() / "comm"));
    } catch (const SystemError&) {
      // somebody else's, or gone meanwhile
    }
  }
  return found;
}

class Host : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(out_); }
  void TearDown() override { fs::remove_all(out_); }

  Command check(const std::vector<std::string>& arguments) const {
    const auto program = fs::read_symlink("/proc/self/exe").parent_path() / "knetsim";
    Command command{.argv = {program.string(), "check"},
                    .environment = {{"KNETSIM_OUT", out_.string()}, {"KNETSIM_MARK", mark_}}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    return command;
  }

  void expect_nothing_is_left() const {
    eventually([this]() -> std::optional<std::string> {
      const auto left = processes_marked("KNETSIM_MARK=" + mark_);
      return left.empty() ? std::nullopt : std::optional("the end of " + testing::PrintToString(left));
    });
    EXPECT_THAT(differences(before_, host_state()), IsEmpty());
    EXPECT_FALSE(fs::is_symlink("/tmp/knetsim"));
    EXPECT_TRUE(fs::is_empty("/tmp/knetsim")) << "only the empty mount point may stay";
  }

  const std::string mark_ = std::to_string(::getpid()) + "-" + std::to_string(std::random_device()());
  const fs::path out_ = fs::temp_directory_path() / ("knetsim-host-" + mark_);
  const HostState before_ = host_state();
};

// By day RunsTwoChecksAtOnceThatDoNotSeeEachOther runs checks that start each kind of daemon, and ctest runs the whole
// of suite-readme.
TEST_F(Host, IsAsBeforeAfterAWholeCheck) {
  const auto result = exec(check({}), std::chrono::minutes(2));
  EXPECT_TRUE(result.ok()) << result.out << result.err;
  expect_nothing_is_left();
}

TEST_F(Host, IsAsBeforeAfterAnInterruptedCheck) {
  auto running = Process::spawn(check({}), out_ / "check.log");
  wait_for_file(out_ / "check.log", std::chrono::seconds(20));
  running.signal(SIGINT);
  EXPECT_NE(running.wait(std::chrono::seconds(30)).code(), 0);
  expect_nothing_is_left();
}

/// So many times.
class HostWhose : public Host, public testing::WithParamInterface<int> {};

TEST_P(HostWhose, ChecksAreKilled) {
  std::mt19937 random(20260801);
  std::uniform_int_distribution<int> moment(0, 900);
  for (int i = 0; i < GetParam(); ++i) {
    auto running = Process::spawn(check({"--only", "workers"}), out_ / "check.log");
    try {
      running.wait(std::chrono::milliseconds(moment(random)));
    } catch (const StillMissing&) {
      running.signal(SIGKILL);  // the usual case: it still runs
    }
    running.wait(std::chrono::seconds(10));
  }
  expect_nothing_is_left();
}

INSTANTIATE_TEST_SUITE_P(IsAsBefore, HostWhose, testing::Values(8, 50), testing::PrintToStringParamName());

TEST_F(Host, RunsTwoChecksAtOnceThatDoNotSeeEachOther) {
  const std::vector<std::string> each_daemon{"--only", "pods,flannel,vip,skupper"};
  auto first = Process::spawn(check(each_daemon), out_ / "first.log");
  auto second = Process::spawn(check(each_daemon), out_ / "second.log");
  EXPECT_TRUE(first.wait(std::chrono::seconds(60)).success()) << first.log_tail(50);
  EXPECT_TRUE(second.wait(std::chrono::seconds(60)).success()) << second.log_tail(50);
  expect_nothing_is_left();
}

}  // namespace
}  // namespace knetsim
