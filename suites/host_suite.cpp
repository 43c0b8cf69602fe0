// The host, seen from outside every sandbox: whatever happens to a run, the host stays as it was.

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

/// Interfaces, mounts, sysctls of the network, packet filter: what a run could touch.
class HostState {
 public:
  HostState() {
    note("interfaces", exec({.argv = {"ip", "-details", "address", "show"}}).out);
    note("routes", exec({.argv = {"ip", "route", "show", "table", "all"}}).out);
    const auto ruleset = exec({.argv = {"nft", "list", "ruleset"}});
    note("ruleset", ruleset.out + ruleset.err);  // an ordinary user is told that it may not look: that's a state too
    note("mounts", read_file("/proc/self/mountinfo"));
    for (const auto& entry : fs::recursive_directory_iterator("/proc/sys/net")) note_sysctl(entry);
  }

  friend std::vector<std::string> differences(const HostState& a, const HostState& b) {
    std::vector<std::string> all;
    for (const auto& [name, value] : a.values_)
      if (const auto there = b.values_.find(name); there == b.values_.end())
        all.push_back(name + " is gone");
      else if (there->second != value)
        all.push_back(name + " was:\n" + value + "\nis:\n" + there->second);
    for (const auto& [name, value] : b.values_)
      if (!a.values_.contains(name)) all.push_back(name + " is new");
    return all;
  }

 private:
  void note(const std::string& name, std::string value) { values_[name] = std::move(value); }

  void note_sysctl(const fs::directory_entry& entry) {
    // Counts the host's own connections: changes by itself.
    if (!entry.is_regular_file() || entry.path().filename() == "nf_conntrack_count") return;
    try {
      note(entry.path(), read_file(entry.path()));
    } catch (const SystemError&) {
      note(entry.path(), "unreadable");
    }
  }

  std::map<std::string, std::string> values_;
};

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
    EXPECT_THAT(differences(before_, HostState()), IsEmpty());
    EXPECT_FALSE(fs::is_symlink("/tmp/knetsim"));
    EXPECT_TRUE(fs::is_empty("/tmp/knetsim")) << "only the empty mount point may stay";
  }

  const std::string mark_ = std::to_string(::getpid()) + "-" + std::to_string(std::random_device()());
  const fs::path out_ = fs::temp_directory_path() / ("knetsim-host-" + mark_);
  const HostState before_;
};

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

TEST_F(Host, IsAsBeforeAfterFiftyChecksKilledAtAnyMoment) {
  std::mt19937 random(20260801);
  std::uniform_int_distribution<int> moment(0, 900);
  for (int i = 0; i < 50; ++i) {
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

TEST_F(Host, RunsTwoChecksAtOnceThatDoNotSeeEachOther) {
  auto first = Process::spawn(check({"--only", "pods,vip"}), out_ / "first.log");
  auto second = Process::spawn(check({"--only", "pods,vip"}), out_ / "second.log");
  EXPECT_TRUE(first.wait(std::chrono::seconds(60)).success()) << first.log_tail(50);
  EXPECT_TRUE(second.wait(std::chrono::seconds(60)).success()) << second.log_tail(50);
  expect_nothing_is_left();
}

}  // namespace
}  // namespace knetsim
