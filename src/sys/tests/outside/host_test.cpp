// The host is the same before and after a run, and two runs don't see each other.
#include <gmock/gmock.h>

#include "knetsim/fixtures/host_state.h"
#include "knetsim/sys/process.h"
#include "probe.h"

namespace knetsim {
namespace {

using fixtures::differences;
using fixtures::host_state;
using testing::IsEmpty;

// Touches each of them, from inside. Anything that fails ends it: then it would prove nothing.
constexpr const char* kTouchEverything = R"sh(set -e
ip link add C0w1 type bridge
ip address add 10.0.0.3/8 dev C0w1
ip link set C0w1 up
ip route add 11.0.0.0/8 via 10.0.0.4
ip netns add C0w1
nft add table inet left
ipcmk -M 4096 >/dev/null
touch /run/left /run/netns/left /tmp/knetsim/left
for name in ip_forward conf/all/rp_filter conf/default/forwarding; do echo 1 >/proc/sys/net/ipv4/$name; done
echo 7 >/proc/sys/net/core/somaxconn
echo touched
)sh";

enum class Who { ourselves, ordinary_user };

class Host : public testing::TestWithParam<Who> {
 protected:
  Arguments enter(const Arguments& arguments) const {
    const auto command = Arguments{directory_.probe()} + arguments;
    return GetParam() == Who::ordinary_user ? as_ordinary_user(command) : command;
  }
  ExecResult run(const Arguments& arguments) const {
    return exec({.argv = enter(arguments), .directory = directory_.path()});
  }

 private:
  PublicDirectory directory_;
};

TEST_P(Host, IsTheSameBeforeAndAfterARun) {
  ASSERT_TRUE(run({"true"}).ok()) << "makes the mount point, which alone may stay";
  const auto before = host_state();
  const auto result = run({"bash", "-c", kTouchEverything});
  ASSERT_EQ(result.out, "touched\n") << result.err;
  EXPECT_THAT(differences(before, host_state()), IsEmpty());
}

TEST_P(Host, IsTheSameWhileTwoRunsWithTheSameNamesGoOn) {
  ASSERT_TRUE(run({"true"}).ok());
  const auto before = host_state();
  const auto script = kTouchEverything + std::string("cat");
  Flight first(enter({"bash", "-c", script}));
  first.wait_for("touched");
  Flight second(enter({"bash", "-c", script}));
  second.wait_for("touched");
  EXPECT_THAT(differences(before, host_state()), IsEmpty());
}

TEST_P(Host, IsNotSeenFromInside) {
  const auto result =
      run({"bash", "-c", "ls -A /sys/class/net /run /tmp/knetsim; nft list ruleset; pgrep -P 0,1; exit 0"});
  EXPECT_EQ(result.out, "/run:\nflannel\nhosts\nknetsim\nlock\nnetns\n\n/sys/class/net:\nlo\n\n/tmp/knetsim:\n1\n2\n")
      << "processes: init and bash";
}

INSTANTIATE_TEST_SUITE_P(Users, Host, testing::Values(Who::ourselves, Who::ordinary_user), [](const auto& instance) {
  return instance.param == Who::ourselves ? "Ourselves" : "OrdinaryUser";
});

}  // namespace
}  // namespace knetsim
