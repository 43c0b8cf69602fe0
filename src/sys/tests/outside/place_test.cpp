// Where the sandbox puts its files: never over somebody's work, never through a link.
#include <gmock/gmock.h>

#include "knetsim/sys/error.h"
#include "probe.h"

namespace knetsim {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ExecResult run(const std::string& script) { return exec({.argv = in_private_tmp(script)}); }

struct Obstacle {
  const char* name;
  const char* prepare;
  const char* look_afterwards;
  const char* untouched;
};

class MountPoint : public testing::TestWithParam<Obstacle> {};

TEST_P(MountPoint, ThatIsNoDirectoryIsRefusedAndLeftAlone) {
  const auto& [name, prepare, look_afterwards, untouched] = GetParam();
  const auto result = run(std::string(prepare) + "\n$probe true; echo code $?; " + look_afterwards);
  EXPECT_EQ(result.out, std::string("code 2\n") + untouched);
  EXPECT_THAT(result.err, AllOf(HasSubstr("/tmp/knetsim"), HasSubstr("remedy: remove what is there")));
}

INSTANTIATE_TEST_SUITE_P(
    Table, MountPoint,
    testing::Values(Obstacle{"Link", "mkdir /tmp/elsewhere; ln -s /tmp/elsewhere /tmp/knetsim",
                             "ls -A /tmp/elsewhere; readlink /tmp/knetsim", "/tmp/elsewhere\n"},
                    Obstacle{"DanglingLink", "ln -s /tmp/absent /tmp/knetsim", "ls /tmp; readlink /tmp/knetsim",
                             "knetsim\n/tmp/absent\n"},
                    Obstacle{"LinkToADirectoryOfTheSystem", "ln -s /etc /tmp/knetsim",
                             "readlink /tmp/knetsim; mount | grep -c ' /etc '", "/etc\n0\n"},
                    Obstacle{"File", "echo precious >/tmp/knetsim", "cat /tmp/knetsim", "precious\n"},
                    Obstacle{"Fifo", "mkfifo /tmp/knetsim", "test -p /tmp/knetsim && echo fifo", "fifo\n"}),
    [](const auto& instance) { return instance.param.name; });

TEST(MountPoint, WithFilesInItIsCoveredAndNotTouched) {
  const auto result =
      run("mkdir /tmp/knetsim; echo mine >/tmp/knetsim/mine\n"
          "$probe bash -c 'ls -A /tmp/knetsim; touch /tmp/knetsim/theirs'; echo code $?; ls -A /tmp/knetsim");
  EXPECT_EQ(result.out, "code 0\nmine\n") << result.err;
}

TEST(MountPoint, AndAllOthersStayAsTheyAreWhereTheHostSharesItsMounts) {
  const auto result =
      run("mount --make-rshared /; mkdir /tmp/knetsim; mounts=$(cat /proc/self/mountinfo)\n"
          "$probe ip netns add C0w1 && [ \"$mounts\" = \"$(cat /proc/self/mountinfo)\" ] && echo same");
  EXPECT_EQ(result.out, "same\n") << result.err;
}

TEST(MountPoint, StaysEmptyOnTheHost) {
  EXPECT_EQ(run("$probe touch /tmp/knetsim/file; ls -A /tmp/knetsim; stat -c %F /tmp/knetsim").out, "directory\n");
}

struct Vanishing {
  const char* name;
  const char* script;
  const char* complaint;
};

class PathThatVanishes : public testing::TestWithParam<Vanishing> {};

TEST_P(PathThatVanishes, IsRefused) {
  const auto result = run(std::string("mkdir /tmp/knetsim\n") + GetParam().script);
  EXPECT_EQ(result.status.code(), 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr(GetParam().complaint), HasSubstr("remedy")));
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, PathThatVanishes,
    testing::Values(Vanishing{"Program", "cp $probe /tmp/knetsim/probe; /tmp/knetsim/probe echo ran",
                              "the program (/tmp/knetsim/probe) lies below /tmp/knetsim"},
                    Vanishing{"WorkingDirectory", "mkdir /tmp/knetsim/w; cd /tmp/knetsim/w; $probe echo ran",
                              "the working directory (/tmp/knetsim/w) lies below /tmp/knetsim"},
                    Vanishing{"TheMountPointItself", "cd /tmp/knetsim; $probe echo ran", "the working directory"},
                    Vanishing{"OutDirectory", "KNETSIM_OUT=/tmp/knetsim/out $probe echo ran",
                              "KNETSIM_OUT (/tmp/knetsim/out) lies below /tmp/knetsim"},
                    Vanishing{"OutDirectoryByADetour", "KNETSIM_OUT=/tmp/x/../knetsim/out $probe echo ran",
                              "KNETSIM_OUT"},
                    Vanishing{"OutDirectoryByALink",
                              "ln -s /tmp/knetsim /tmp/link; KNETSIM_OUT=/tmp/link/out $probe echo ran", "KNETSIM_OUT"},
                    Vanishing{"OutDirectoryBelowRun", "KNETSIM_OUT=/run/out $probe echo ran",
                              "KNETSIM_OUT (/run/out) lies below /run"}),
    [](const auto& instance) { return instance.param.name; });

TEST(PathThatVanishes, IsNotOneThatOnlyBeginsTheSame) {
  EXPECT_EQ(run("mkdir /tmp/knetsim-out; cd /tmp/knetsim-out; KNETSIM_OUT=/tmp/knetsimx $probe echo ran").out, "ran\n");
}

}  // namespace
}  // namespace knetsim
