// /tmp/knetsim is a view of the state and no more: who owns, removes or renames that directory outside takes nothing
// from a lab, and what others put there is neither run nor written.
#include <gmock/gmock.h>
#include <unistd.h>

#include "knetsim/sys/error.h"
#include "probe.h"

namespace knetsim {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// In a /tmp that everybody may write to. $as_user begins a command of an ordinary user, if there is another one.
ExecResult try_view(const std::string& script) {
  const std::string as_user =
      ::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all" : "";
  return exec({.argv = in_private_tmp("as_user='" + as_user + "'\nchmod 1777 /tmp\n" + script)});
}

struct Loss {
  const char* name;
  const char* lab;  // how its user starts it
  const char* outside;
};

class View : public testing::TestWithParam<Loss> {};

TEST_P(View, IsThereAgainSoonAndTheStateNeverGoes) {
  const auto& [name, lab, outside] = GetParam();
  const auto result = try_view(std::string("coproc lab { ") + lab + R"sh( bash -c '
echo kept >/run/knetsim/file; mkdir /run/knetsim/w1; cd /run/knetsim/w1; echo stands; read
cat ../file; pwd -P
timeout 10 bash -c "until [ -e /tmp/knetsim/w1 ]; do :; done"; cat /tmp/knetsim/file; echo new >/tmp/knetsim/new; cat ../new'; }
exec 3<&"${lab[0]}" 4>&"${lab[1]}"; read -u3
)sh" + outside + "\necho >&4; cat <&3");
  EXPECT_EQ(result.out, "kept\n/run/knetsim/w1\nkept\nnew\n") << result.err;
}

INSTANTIATE_TEST_SUITE_P(Table, View,
                         testing::Values(Loss{"RootsWhenEverythingInTmpIsRemoved", "$probe", "rm -rf /tmp/*"},
                                         Loss{"RootsWhenItIsRenamed", "$probe", "mv /tmp/knetsim /tmp/elsewhere"},
                                         Loss{"RootsWhenItIsRemovedAgainAndAgain", "$probe",
                                              "for i in {1..20}; do rmdir /tmp/knetsim 2>/dev/null; done"},
                                         Loss{"AUsersWhenEverythingInTmpIsRemoved", "$as_user $probe", "rm -rf /tmp/*"},
                                         Loss{"AUsersWhenItIsRenamed", "$as_user $probe",
                                              "mv /tmp/knetsim /tmp/elsewhere"}),
                         [](const auto& instance) { return instance.param.name; });

TEST(View, ShowsWhatIsMountedBelowTheStateToo) {
  const auto result = try_view(
      "$probe bash -c 'mkdir /run/knetsim/data; mount -t tmpfs none /run/knetsim/data\n"
      "touch /run/knetsim/data/file; ls /tmp/knetsim/data'");
  EXPECT_EQ(result.out, "file\n") << result.err;
}

// What needs two users can't be tried by one.
struct Owner {
  const char* name;
  const char* before;
  const char* lab;
  int code;
  const char* out;
  const char* complaint;
};

class ViewOfAnother : public testing::TestWithParam<Owner> {};

TEST_P(ViewOfAnother, IsNotTrusted) {
  if (::geteuid() != 0) return;
  const auto& [name, before, lab, code, out, complaint] = GetParam();
  const auto result = try_view(std::string(before) + "\n" + lab +
                               R"sh( bash -c 'ls /tmp/knetsim; mountpoint -q /tmp/knetsim && echo shown; exit 0')sh");
  EXPECT_EQ(result.status.code(), code) << result.err;
  EXPECT_EQ(result.out, out);
  EXPECT_THAT(result.err, HasSubstr(complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ViewOfAnother,
    testing::Values(Owner{"ByRootIfThereIsSomethingInIt", "install -d -o 1000 /tmp/knetsim; touch /tmp/knetsim/etcdctl",
                          "$probe", 2, "", "it belongs to uid 1000, who may put anything there\n  remedy: remove it"},
                    Owner{"ByRootIfItsOwnMayBeWrittenByAllButIsMended", "install -d -m 777 /tmp/knetsim", "$probe", 0,
                          "shown\n", ""},
                    Owner{"ByRootWhereAllMayRenameIt", "chmod 777 /tmp; mkdir /tmp/knetsim", "$probe", 2, "",
                          "remedy: chmod +t /tmp"},
                    Owner{"ByAUserWhoGoesWithout", "install -d -o 1000 /tmp/knetsim; touch /tmp/knetsim/etcdctl",
                          "$as_user $probe", 0, "etcdctl\n", "the lab's files are found in /run/knetsim alone"},
                    Owner{"UnlessItIsRoots", "mkdir /tmp/knetsim", "$as_user $probe", 0, "shown\n", ""}),
    [](const auto& instance) { return instance.param.name; });

TEST(ViewOfAnother, IsTakenOverByRootWhileItIsEmptyAndThenNobodyMaySwapIt) {
  if (::geteuid() != 0) return;
  const auto result = try_view(R"sh(install -d -o 1000 /tmp/knetsim
coproc lab { $probe bash -c 'echo stands; read; cat /tmp/knetsim/etcdctl 2>&1; mountpoint -q /tmp/knetsim && echo shown'; }
exec 3<&"${lab[0]}" 4>&"${lab[1]}"; read -u3
stat -c %u:%a /tmp/knetsim
setpriv --reuid=1000 --clear-groups --inh-caps=-all bash -c 'mv /tmp/knetsim /tmp/mine || rmdir /tmp/knetsim || touch /tmp/knetsim/etcdctl || echo kept out' 2>/dev/null
echo >&4; cat <&3)sh");
  EXPECT_EQ(result.out, "0:755\nkept out\ncat: /tmp/knetsim/etcdctl: No such file or directory\nshown\n") << result.err;
}

TEST(View, IsMissedByNobodyWhereTmpCannotBeWritten) {
  const auto result = try_view("mount -o remount,ro /tmp; $probe touch /run/knetsim/file && echo fine");
  EXPECT_EQ(result.out, "fine\n");
  EXPECT_THAT(result.err, AllOf(HasSubstr("/tmp/knetsim"), HasSubstr("Read-only file system")));
}

}  // namespace
}  // namespace knetsim
