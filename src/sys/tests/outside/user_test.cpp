// Who may enter the sandbox: an ordinary user gets all that root gets, and whom the kernel refuses is told the remedy.
#include <gmock/gmock.h>

#include "knetsim/sys/error.h"
#include "probe.h"

namespace knetsim {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

struct Use {
  const char* name;
  const char* script;
  const char* output;  // a regular expression
};

class OrdinaryUser : public testing::TestWithParam<Use> {
 protected:
  PublicDirectory directory_;
};

TEST_P(OrdinaryUser, CanUse) {
  const auto command = as_ordinary_user(
      {directory_.probe(), "bash", "-c", std::string("set -e\n") + GetParam().script, directory_.probe()});
  const auto result = exec({.argv = command, .directory = directory_.path()});
  EXPECT_EQ(result.status.code(), 0) << result.err;
  EXPECT_THAT(result.out, MatchesRegex(GetParam().output));
}

INSTANTIATE_TEST_SUITE_P(
    Table, OrdinaryUser,
    testing::Values(
        Use{"ItsOwnNumber", "test $(id -u) != 0; echo yes", "yes\n"},
        Use{"ItsCapabilitiesAsAmbientOnes", "grep -E 'Cap(Prm|Amb)' /proc/self/status | cut -f2 | uniq -c",
            " +2 0000[0-9a-f]*fb\n"},
        Use{"Ping", "ping -c1 -W5 127.0.0.1 >/dev/null; ping -c1 -W5 ::1 >/dev/null; echo yes", "yes\n"},
        Use{"Nft", "nft add table inet t; nft list ruleset", "table inet t .\n.\n"},
        Use{"Iptables", "iptables -t nat -A POSTROUTING -j MASQUERADE; iptables -t nat -S POSTROUTING | tail -n1",
            "-A POSTROUTING -j MASQUERADE\n"},
        Use{"NamedNamespaces",
            "ip netns add w; ip netns exec w ip link add eth0 type bridge; ip netns exec w ip -brief link | wc -l",
            "2\n"},
        Use{"Tcpdump",
            "cd /tmp/knetsim; tcpdump -l --immediate-mode -ni lo -c1 icmp >seen 2>err &\n"
            "until grep -q listening /tmp/knetsim/err; do :; done\n"
            "ping -c1 -W5 127.0.0.1 >/dev/null; wait; cut -d' ' -f3- /tmp/knetsim/seen",
            "127.0.0.1 > 127.0.0.1: ICMP echo request.*\n"},
        Use{"ASandboxInTheSandbox", "$0 bash -c 'ip link add x type bridge; $0 ls /sys/class/net' $0", "lo\n"},
        Use{"SysctlsOfTheNetwork", "echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward", "1\n"},
        Use{"TheStateDirectory", "echo 1 >/tmp/knetsim/file; mkdir /run/flannel/w; ls /tmp/knetsim /run/flannel",
            "/run/flannel:\nw\n\n/tmp/knetsim:\nfile\n"}),
    [](const auto& instance) { return instance.param.name; });

TEST(Root, InAContainerWithoutPrivilegesMayStillEnter) {
  const auto result = exec({.argv = {"unshare", "--user", "--map-root-user", "setpriv", "--bounding-set=-sys_admin",
                                     probe(), "ip", "link", "add", "x", "type", "bridge"}});
  EXPECT_TRUE(result.ok()) << result.err;
}

// Limits of a user namespace of its own: the host's stay.
constexpr const char* kForbidNamespaces = R"(echo 0 >/proc/sys/user/max_user_namespaces || exit 99
exec setpriv --inh-caps=-all --ambient-caps=-all "$@")";

TEST(Refusal, OfUserNamespacesIsToldOnceWithTheRemedy) {
  const PublicDirectory directory;
  const auto command = as_ordinary_user({"unshare", "--user", "--map-current-user", "--keep-caps", "bash", "-c",
                                         kForbidNamespaces, "bash", directory.probe(), "echo", "ran"});
  const auto result = exec({.argv = command, .directory = directory.path()});
  EXPECT_EQ(result.status.code(), 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(
      result.err,
      MatchesRegex("(knetsim: /tmp/knetsim: .* alone\n)?"  // whose owner the namespace of this test doesn't know
                   "knetsim: can't enter the sandbox: can't create a user namespace .running as uid "
                   "[0-9]+.: No space left on device .ENOSPC.\n"
                   "  remedy: sysctl user.max_user_namespaces=10000 .now 0., or end other labs\n"));
}

struct Limited {
  const char* kind;
  const char* script;
};

class RefusalByALimit : public testing::TestWithParam<Limited> {};

// In a user namespace, where a limit is its own.
TEST_P(RefusalByALimit, NamesIt) {
  const auto& [kind, script] = GetParam();
  const auto result = exec(
      {.argv = {"unshare", "--user", "--map-root-user", "bash", "-c",
                std::string("echo 1 >/proc/sys/user/max_") + kind + "_namespaces || exit 99\n" + script, probe()}});
  EXPECT_NE(result.status.code(), 0);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("No space left on device"),
                    HasSubstr(std::string("remedy: sysctl user.max_") + kind + "_namespaces=10000 (now 1)")));
}

constexpr const char* kNested = R"("$0" "$0" true)";
INSTANTIATE_TEST_SUITE_P(Table, RefusalByALimit,
                         testing::Values(Limited{"net", kNested}, Limited{"mnt", kNested}, Limited{"pid", kNested},
                                         Limited{"uts", kNested}, Limited{"ipc", kNested}),
                         [](const auto& instance) { return instance.param.kind; });

// Where /proc or /sys can't be mounted, as in a container whose own are masked.
TEST(Refusal, OfAMountIsToldOnceWithTheRemedy) {
  const auto result = exec({.argv = {"unshare", "--user", "--map-root-user", "--mount", "bash", "-c",
                                     "mount -t tmpfs none /sys && exec setpriv --bounding-set=-sys_admin \"$@\"",
                                     "bash", probe(), "echo", "ran"}});
  EXPECT_EQ(result.status.code(), 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("/sys: can't mount sysfs"), HasSubstr("remedy: "),
                                Not(HasSubstr("the sandbox's init ended"))));
}

TEST(SandboxOff, MakesTheNamespacesInPlaceWithoutForking) {
  const auto result = exec({.argv = {"bash", "-c", R"sh(before=$$; export before; exec "$0" bash -c '[ $$ = $before ] &&
      ls -A /sys/class/net /run /tmp/knetsim')sh",
                                     probe()},
                            .environment = {{"KNETSIM_SANDBOX", "off"}}});
  EXPECT_EQ(result.status.code(), 0) << result.err;
  EXPECT_EQ(result.out, "/run:\nflannel\nhosts\nknetsim\nlock\nnetns\n\n/sys/class/net:\nlo\n\n/tmp/knetsim:\n");
}

}  // namespace
}  // namespace knetsim
