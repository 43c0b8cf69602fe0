// When something goes wrong: boots that fail say why and leave nothing, and a red test keeps its evidence.
//
// Topology: pair.json. The tests that must be red are in selftest/emulation.cpp.

#include <gmock/gmock.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>

#include "knetsim/emulator/emulation.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

/// etcd finds a file where it wants to have its directory, and gives up.
void block_etcd(const std::string& node) {
  const auto data = fs::path("/tmp/knetsim") / node / "etcd";
  fs::create_directories(data);
  std::ofstream(data / "member") << "in the way";
}

std::string why_no_boot(const Topology& topology) {
  try {
    Emulation::boot(topology);
    return "it boots";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Boot, TellsTheLastWordsOfAnEtcdThatDies) {
  block_etcd("e1");
  EXPECT_THAT(why_no_boot(topology("pair.json")), AllOf(HasSubstr("e1"), HasSubstr("not a directory")));
}

TEST(Boot, TellsTheLastWordsOfAFlanneldThatCannotWriteItsLease) {
  fs::create_directories("/tmp/knetsim/w1/subnet.env/in-the-way");
  EXPECT_THAT(why_no_boot(topology("pair.json")), AllOf(HasSubstr("w1"), HasSubstr("subnet.env")));
}

TEST(Boot, RefusesAFlanneldThatCannotMixBeforeAnythingIsStarted) {
  const fs::path flanneld = "/tmp/knetsim/flanneld";
  write_file_atomically(flanneld, "#!/bin/sh\necho v0.15.1 >&2\n", 0755);
  ::setenv("KNETSIM_FLANNELD", flanneld.c_str(), 1);
  auto mixed = topology("pair.json");
  mixed.clusters.at(0).flannel->flavour = "mixed";
  EXPECT_THAT(why_no_boot(mixed), AllOf(HasSubstr("v0.15.1"), HasSubstr("v2 store"), HasSubstr("remedy: ")));
  ::unsetenv("KNETSIM_FLANNELD");
  EXPECT_FALSE(fs::exists("/tmp/knetsim/e1/etcd.log"));
}

TEST(Boot, TakesAPrefixOfFlannelsKeysHoweverManySlashesEndIt) {
  auto slashes = topology("pair.json");
  slashes.clusters.at(0).flannel->flavour = "builtin";
  slashes.clusters.at(0).flannel->prefix = "/flannel//";
  EXPECT_EQ(why_no_boot(slashes), "it boots");
}

TEST(Boot, NamesThePackageOfAMissingProgram) {
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THAT(why_no_boot(topology("pair.json")), HasSubstr("apt-get install etcd"));
  ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
}

TEST(Boot, ThatFailsLeavesNothingRunningAndNoNamespace) {
  block_etcd("C0e1");
  EXPECT_THAT(why_no_boot(topology("demo.json")), HasSubstr("C0e1"));
  auto broken = topology("demo.json");
  broken.clusters.at(1).containers.at(0).worker = "C9w9";
  EXPECT_THAT(why_no_boot(broken), HasSubstr("C9w9"));
  EXPECT_THAT(names_in("/run/netns"), IsEmpty());
  EXPECT_THAT(exec({.argv = {"ps", "-e", "-o", "comm="}}).out,
              AllOf(Not(HasSubstr("etcd")), Not(HasSubstr("flanneld"))));
}

TEST(Boot, CanBeTriedAgainAfterAFailure) {
  block_etcd("e1");
  EXPECT_THAT(why_no_boot(topology("pair.json")), HasSubstr("e1"));
  fs::remove_all("/tmp/knetsim/e1/etcd");
  auto emulation = Emulation::boot(topology("pair.json"));
  EXPECT_THAT(emulation.cluster("C0").container("c1"), CanPing(emulation.cluster("C0").container("c2")));
}

// Somebody outside has removed the directory that /tmp/knetsim shows its files on.
TEST(Lab, DoesEverythingWithoutTheViewOfItsState) {
  auto emulation = Emulation::boot(topology("pair.json"));
  ASSERT_EQ(::umount2(kStateView, MNT_DETACH | UMOUNT_NOFOLLOW), 0);
  emulation.worker("w1").flanneld().restart();
  const auto& fresh = emulation.worker("w1").create_container("fresh");
  EXPECT_THAT(fresh, CanPing(emulation.cluster("C0").container("c2")));
  EXPECT_THAT(emulation.node("e1").exec({"/tmp/knetsim/etcdctl", "cluster-health"}), Succeeds());
  EXPECT_THAT(emulation.node("w1").exec({"pwd"}), Prints("/run/knetsim/w1\n"));
  EXPECT_THAT(emulation.ailments(), IsEmpty());
}

/// Runs one of the tests that must be red, as its own program in a sandbox of its own.
class RedTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(out_);
    fs::create_directories(out_);
  }

  ExecResult run(const std::string& test, const std::string& timeout = "60", const std::string& fixture = "Red") {
    const auto program = fs::read_symlink("/proc/self/exe").parent_path() / "selftest-emulation";
    return exec({.argv = {program.string(), "--gtest_filter=" + fixture + "." + test},
                 .environment = {{"KNETSIM_OUT", out_.string()}, {"KNETSIM_TEST_TIMEOUT", timeout}}},
                std::chrono::seconds(60));
  }
  fs::path artefacts(const std::string& test) { return out_ / "selftest-emulation" / ("Red." + test); }

  // Not below /run or /tmp/knetsim, which the inner sandbox covers.
  fs::path out_ = out_directory() / "suite-robustness" / testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(RedTest, KeepsTheStateOfEveryNodeAndThePacketsOfTheLastSeconds) {
  const auto result = run("fails");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(names_in(artefacts("fails") / "evidence"),
              testing::UnorderedElementsAre("topology.json", "underlay", "e1", "w1", "w2", "w1.c1", "w2.c2", "w2.c3"));
  const auto w1 = artefacts("fails") / "evidence" / "w1";
  EXPECT_THAT(read_file(w1 / "ruleset.txt"), HasSubstr("100.64.10.1"));
  EXPECT_THAT(read_file(w1 / "fdb.txt"), HasSubstr("dst 10.0.0.4"));
  EXPECT_THAT(read_file(w1 / "routes.txt"), HasSubstr("flannel.100"));
  EXPECT_THAT(read_file(w1 / "flanneld.log"), Not(IsEmpty()));
  EXPECT_THAT(read_file(artefacts("fails") / "evidence" / "e1" / "etcd.log"), Not(testing::Eq(std::string{})));
  const auto packets = exec({.argv = {"tcpdump", "-n", "-r", (artefacts("fails") / "trace.pcapng").string()}});
  EXPECT_THAT(packets, Succeeds());
}

TEST_F(RedTest, KeepsTheEvidenceOfABootThatFailed) {
  const auto result = run("fails", "60", "RedBoot");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, HasSubstr("not a directory"));
  const auto artefacts = out_ / "selftest-emulation" / "RedBoot.fails";
  EXPECT_THAT(names_in(artefacts / "evidence"),
              testing::UnorderedElementsAre("topology.json", "underlay", "e1", "w1", "w2"));
  EXPECT_THAT(read_file(artefacts / "evidence" / "e1" / "etcd.log"), HasSubstr("not a directory"));
  EXPECT_TRUE(fs::exists(artefacts / "trace.pcapng"));
}

TEST_F(RedTest, ThatHangsIsEndedBeforeItsTimeoutWithTheEvidenceKept) {
  const auto result = run("hangs", "25");
  EXPECT_THAT(result, ExitsWith(124));
  EXPECT_THAT(result.err, HasSubstr("the test hangs: not over after 20 s"));
  EXPECT_TRUE(fs::exists(artefacts("hangs") / "evidence" / "w1" / "links.txt"));
}

TEST_F(RedTest, IsRedWhenADaemonDiedAlthoughEveryAssertionHolds) {
  const auto result = run("loses_a_daemon");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, AllOf(HasSubstr("w1 flanneld ended without having been told to"), HasSubstr("SIGKILL")));
}

TEST_F(RedTest, KeepsItsVerdictWhenTheDiskIsFull) {
  // Seen by this sandbox alone; what is inside it sees it too.
  ASSERT_EQ(::mount("tmpfs", out_.c_str(), "tmpfs", 0, "size=8k,nr_inodes=4"), 0);
  const auto result = run("fails");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, HasSubstr("on purpose"));
  EXPECT_THAT(result.err, HasSubstr("the evidence couldn't be saved"));
}

}  // namespace
}  // namespace knetsim::fixtures
