// What docs/limitations.md promises of the sandbox: each way out of it, tried by root and by an ordinary user. Where a
// try succeeds after all, it does no harm.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "knetsim/sys/error.h"
#include "probe.h"

namespace knetsim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

enum class User { ourselves, ordinary };

/// Runs bash inside; "$0" is the probe.
class Inside {
 public:
  ExecResult run(User user, const std::string& script) const {
    const Arguments command{directory_.probe(), "bash", "-c", script, directory_.probe()};
    return exec({.argv = user == User::ordinary ? as_ordinary_user(command) : command, .directory = directory_.path()});
  }

 private:
  PublicDirectory directory_;
};

struct Try {
  const char* name;
  const char* script;
  const char* out;
};

class Promise : public testing::TestWithParam<std::tuple<Try, User>> {};

TEST_P(Promise, IsKept) {
  const auto& [attempt, user] = GetParam();
  const auto result = Inside().run(user, attempt.script);
  EXPECT_EQ(result.out, attempt.out) << result.err;
}

INSTANTIATE_TEST_SUITE_P(
    Table, Promise,
    testing::Combine(
        testing::Values(
            Try{"TheSystemsFilesStay",
                "for d in /etc /usr /usr/bin /var /var/lib /dev; do [ -d $d ] && echo -n . && [ -w $d ] && echo $d; "
                "done; "
                "echo",
                "......\n"},
            Try{"DevicesAnswer",
                "cat /dev/full | head -c 1 | wc -c; echo >/dev/null && script -qc true /dev/null && echo yes",
                "1\nyes\n"},
            Try{"TheKernelsSettingsStay",
                "for f in kernel/core_pattern vm/swappiness kernel/hostname fs/file-max; do f=/proc/sys/$f\n"
                "[ -e $f ] && echo -n . && [ -w $f ] && echo $f; done; [ -w /proc/sysrq-trigger ] && echo sysrq; echo",
                "....\n"},
            Try{"DevicesStay",
                "find /sys/module /sys/kernel -type f -perm -200 -writable 2>/dev/null | head -n 3; ls -d /sys/kernel",
                "/sys/kernel\n"},
            Try{"TheClockStays", "date -s \"$(date '+%F %T.%N')\" >/dev/null 2>&1 && echo set; echo tried", "tried\n"},
            Try{"CapabilitiesAreFew", "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status | cut -f2",
                "00000000802c35fb\n00000000802c35fb\n00000000802c35fb\n1\n"},
            Try{"SharedMemoryIsItsOwn", "ls -A /dev/shm; echo 1 >/dev/shm/mine; cat /dev/shm/mine", "1\n"},
            Try{"ItHasANameOfItsOwn", "uname -n; [ -w /proc/sys/kernel/hostname ] && echo writable; echo",
                "knetsim\n\n"},
            Try{"NoDeviceCanBeMade",
                "mknod /tmp/knetsim-no-device-$$ c 1 3 2>/dev/null && rm /tmp/knetsim-no-device-$$ && echo made; echo "
                "tried",
                "tried\n"},
            Try{"TheNetworksSettingsAreItsOwn",
                "ip netns add w; f=/proc/sys/net/ipv4/ip_forward\n"
                "ip netns exec w bash -c \"echo 1 >$f; cat $f\"; cat $f; echo 1 >$f; cat $f",
                "1\n0\n1\n"},
            Try{"TheUsersFilesAreTheUsers",
                "for d in /tmp /var/tmp; do f=$(mktemp -p $d) && echo 1 >$f && rm $f && echo $d; done",
                "/tmp\n/var/tmp\n"}),
        testing::Values(User::ourselves, User::ordinary)),
    [](const auto& instance) {
      return std::string(std::get<0>(instance.param).name) +
             (std::get<1>(instance.param) == User::ourselves ? "ForUs" : "ForAnOrdinaryUser");
    });

TEST(Promise, OfTheSystemsFilesExceptsTheOneThatTheCallerWorksIn) {
  if (::geteuid() != 0) return;  // whom the modes of the files keep out
  const Inside inside;
  const auto result = inside.run(User::ourselves,
                                 "cd /var/lib && exec \"$0\" bash -c '[ -w /var/lib ] && echo var; "
                                 "[ -w /etc ] && echo etc; echo'");
  EXPECT_EQ(result.out, "\n") << "what an outer sandbox protects, an inner one doesn't open";
  const auto outer =
      exec({.argv = {probe(), "bash", "-c", "[ -w /var/lib ] && echo var; [ -w /etc ] && echo etc; echo"},
            .directory = "/var/lib"});
  EXPECT_EQ(outer.out, "var\n\n") << outer.err;
}

TEST(Promise, LeavesServersSomewhereToLog) {
  const auto mark = "knetsim-log-" + std::to_string(::getpid());
  struct stat host {};
  ASSERT_EQ(::stat("/var/log", &host), 0);
  for (const auto user : {User::ourselves, User::ordinary}) {
    const auto result = Inside().run(user, "cd /var/log && echo 1 >" + mark + " && cat " + mark +
                                               "; stat -c %a /var/log; find . -mindepth 1 ! -type d; ls -d apt");
    EXPECT_EQ(result.out, fmt::format("1\n{:o}\n./{}\napt\n", host.st_mode & 07777U, mark)) << result.err;
    EXPECT_FALSE(fs::exists("/var/log/" + mark));
  }
}

TEST(Promise, OfSharedMemoryHidesTheHosts) {
  const fs::path mark = "/dev/shm/knetsim-mark-" + std::to_string(::getpid());
  std::ofstream(mark) << "the host's";
  for (const auto user : {User::ourselves, User::ordinary}) EXPECT_EQ(Inside().run(user, "ls -A /dev/shm").out, "");
  fs::remove(mark);
}

TEST(Promise, HoldsInAChrootWhoseRootIsNoMountPoint) {
  // Directories of the host, bound below one of an ordinary file system.
  const auto result = exec({.argv = in_private_tmp(R"sh(mkdir -p /tmp/a/root; cd /tmp/a/root
for d in usr etc var proc dev; do mkdir $d; mount --rbind /$d $d; done; mkdir tmp sys run root; chmod 1777 tmp
for l in bin sbin lib lib64; do cp -P /$l .; done; mkdir opt; cp $probe opt/probe
chroot /tmp/a/root /opt/probe bash -c 'pwd; mountpoint -q /tmp/knetsim && echo shown; [ -w /etc ] && echo etc; ls /run'
chroot /tmp/a/root /opt/probe --where)sh")});
  EXPECT_EQ(result.out, "/\nshown\nflannel\nhosts\nknetsim\nlock\nnetns\n/opt\n") << result.err;
}

}  // namespace
}  // namespace knetsim
