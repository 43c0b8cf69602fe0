// The sandbox: nothing of the host is seen or touched inside, and nothing of the inside stays.
#include "knetsim/sys/sandbox.h"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "../sandbox_mounts.h"
#include "directory.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

TEST(Sandbox, NamesNoServerThatCouldNotBeReached) {
  // Where the host has none, a program finds none either.
  if (fs::exists("/etc/resolv.conf")) {
    EXPECT_EQ(fs::file_size("/etc/resolv.conf"), 0U);
  }
}

TEST(Sandbox, HasNamesOfItsOwn) {
  // Where the host has no such file, there is nothing to cover.
  if (!fs::exists("/etc/hosts")) GTEST_SKIP() << "the host has no /etc/hosts";
  EXPECT_EQ(read_file("/etc/hosts"), kLocalHosts);
  std::ofstream(kHostsFile, std::ios::app) << "127.0.0.7 some-node some/node\n";
  for (const auto* name : {"some-node", "Some-Node", "some/node"})
    EXPECT_THAT(exec({.argv = {"getent", "ahosts", name}}).out, StartsWith("127.0.0.7 ")) << name;
}

TEST(Sandbox, AsksItsOwnNamesFirst) {
  const std::vector<std::tuple<const char*, const char*, const char*>> cases{
      {"the usual one", "passwd: files\nhosts: files dns\n", ""},
      {"without blanks", "hosts:files\n", ""},
      {"no word about hosts", "passwd: files\n# hosts: dns\n", ""},
      {"a server first", "hosts:\tdns files # why not\npasswd: files\n", "hosts: files dns\npasswd: files\n"},
      {"an answer that ends it", "hosts: mdns4_minimal [NOTFOUND=return] files", "hosts: files dns\n"},
      {"not at all", " hosts: dns\n", "hosts: files dns\n"},
  };
  for (const auto& [what, before, after] : cases) EXPECT_EQ(sandbox::with_hosts_first(before), after) << what;
}

TEST(UtsNs, GivesProgramsAHostnameAndNobodyElse) {
  const auto before = exec({.argv = {"uname", "-n"}}).out;
  const auto uts = UtsNs::create("C0w1");
  EXPECT_EQ(exec({.argv = {"uname", "-n"}, .uts = &uts}).out, "C0w1\n");
  EXPECT_EQ(exec({.argv = {"uname", "-n"}}).out, before);
}

TEST(Sandbox, HasOnlyLoopback) { EXPECT_THAT(names_in("/sys/class/net"), ElementsAre("lo")); }

TEST(Sandbox, HasItsLoopbackUp) { EXPECT_TRUE(exec({.argv = {"ping", "-c1", "127.0.0.1"}}).ok()); }

TEST(Sandbox, ShowsItsOwnProcessesAlone) {
  EXPECT_EQ(::getppid(), 1);
  EXPECT_TRUE(fs::exists("/proc/1"));
  EXPECT_EQ(fs::read_symlink("/proc/self"), std::to_string(::getpid()));
}

TEST(Sandbox, HasEmptyPrivateDirectories) {
  EXPECT_THAT(names_in("/tmp/knetsim"), IsEmpty());
  EXPECT_THAT(names_in("/run"), UnorderedElementsAre("netns", "lock", "flannel", "hosts", "knetsim"));
}

TEST(Sandbox, RunsAsTheSameUser) { EXPECT_EQ(exec({.argv = {"id", "-u"}}).out, std::to_string(::getuid()) + "\n"); }

TEST(Sandbox, GivesProgramsTheRightToConfigureTheNetwork) {
  EXPECT_TRUE(exec({.argv = {"ip", "link", "add", "br0", "type", "bridge"}}).ok());
}

TEST(Sandbox, FindsProgramsInTheSbinDirectories) { EXPECT_TRUE(exec({.argv = {"nft", "--version"}}).ok()); }

TEST(Sandbox, ReapsOrphans) {
  const auto result = exec({.argv = {"bash", "-c", "(setsid true &); exit 0"}});
  EXPECT_TRUE(result.ok());
}

// Two tests that would see each other's traces if a process's second test didn't get a fresh sandbox.
class FreshSandbox : public testing::TestWithParam<int> {};

TEST_P(FreshSandbox, IsGivenToEveryTestOfAProcess) {
  EXPECT_THAT(names_in("/tmp/knetsim"), IsEmpty());
  EXPECT_THAT(names_in("/run/netns"), IsEmpty());
  EXPECT_THAT(names_in("/sys/class/net"), ElementsAre("lo"));
  EXPECT_EQ(exec({.argv = {"pgrep", "-x", "sleep"}}).out, "");

  std::ofstream("/tmp/knetsim/trace") << "left";
  NetNs::create().pin("left");
  exec({.argv = {"ip", "link", "add", "left0", "type", "bridge"}});
  exec({.argv = {"bash", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"}});
}

INSTANTIATE_TEST_SUITE_P(Twice, FreshSandbox, testing::Values(1, 2));

TEST(NetNs, RunsAFunctionInsideAndComesBack) {
  const auto home = NetNs::current().inode();
  const auto other = NetNs::create();
  EXPECT_NE(other.inode(), home);
  EXPECT_EQ(other.run([] { return NetNs::current().inode(); }), other.inode());
  EXPECT_EQ(NetNs::current().inode(), home);
}

// A daemon has given up the right to go elsewhere, and looks at its own namespace all the time.
TEST(NetNs, IsLookedAtFromInsideWithoutAnyRight) {
  std::optional<ino_t> seen;
  std::thread unprivileged([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) != 0) return;
    seen = NetNs::current().run([] { return NetNs::current().inode(); });
  });
  unprivileged.join();
  EXPECT_EQ(seen, NetNs::current().inode());
}

TEST(NetNs, ComesBackAfterAnException) {
  const auto home = NetNs::current().inode();
  const auto other = NetNs::create();
  EXPECT_THROW(other.run([] { throw std::runtime_error("inside"); }), std::runtime_error);
  EXPECT_EQ(NetNs::current().inode(), home);
}

TEST(NetNs, IsFoundByOthersWherePinned) {
  const auto ns = NetNs::create();
  ns.pin("C0w1");
  EXPECT_EQ(NetNs::open("/run/netns/C0w1").inode(), ns.inode());
  EXPECT_EQ(exec({.argv = {"ip", "netns", "exec", "C0w1", "readlink", "/proc/self/ns/net"}}).out,
            "net:[" + std::to_string(ns.inode()) + "]\n");
  NetNs::unpin("C0w1");
  EXPECT_THAT(names_in("/run/netns"), IsEmpty());
}

}  // namespace
}  // namespace knetsim
