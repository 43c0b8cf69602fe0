// When something goes wrong: boots that fail say why and leave nothing, and a red test keeps its evidence.
//
// Topology: pair.json. The tests that must be red are in selftest/emulation.cpp.

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <sys/mount.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "knetsim/emulator/emulation.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/fixtures/traffic.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/failure.h"
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
  mixed.clusters.at(0).flannel->flavour = parts::Flavour::mixed;
  EXPECT_THAT(why_no_boot(mixed), AllOf(HasSubstr("v0.15.1"), HasSubstr("v2 store"), HasSubstr("remedy: ")));
  ::unsetenv("KNETSIM_FLANNELD");
  EXPECT_FALSE(fs::exists("/tmp/knetsim/e1/etcd.log"));
}

TEST(Boot, TakesAPrefixOfFlannelsKeysHoweverManySlashesEndIt) {
  auto slashes = topology("pair.json");
  slashes.clusters.at(0).flannel->flavour = parts::Flavour::builtin;
  slashes.clusters.at(0).flannel->prefix = "/flannel//";
  EXPECT_EQ(why_no_boot(slashes), "it boots");
}

TEST(Boot, NamesThePlaceOfAProgramThatThePathDoesNotLeadTo) {
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THAT(why_no_boot(topology("pair.json")), HasSubstr("add /usr/bin to PATH"));
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

/// GoogleTest's message of an assertion that this value is red with.
template <typename T>
std::string failure_of(const T& value, const testing::Matcher<const T&>& matcher) {
  testing::TestPartResultArray failures;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
    EXPECT_THAT(value, matcher);
  }
  return failures.size() == 0 ? "it is green" : failures.GetTestPartResult(0).message();
}

/// The same as the reports show it.
template <typename T>
std::string sentence_of(const T& value, const testing::Matcher<const T&>& matcher) {
  return failure_sentence(failure_of(value, matcher));
}

TEST(Matchers, SayInOneSentenceWhatIsWrong) {
  auto emulation = Emulation::boot(topology("pair.json"));
  const auto& w1 = emulation.worker("w1");
  const auto& c1 = emulation.cluster("C0").container("c1");
  const auto nowhere = parse_address("10.0.0.99");
  const auto far = failure_of<Node>(c1, CanPing(parse_address("192.0.2.1")));
  EXPECT_EQ(failure_sentence(far).find("w1/c1 can't ping 192.0.2.1: "), 0U) << far;
  EXPECT_THAT(far, HasSubstr("\npath: w1/c1 -> 192.0.2.1\n"));
  EXPECT_THAT(sentence_of<Node>(w1, CanPing(nowhere)),
              testing::StartsWith("w1 can't ping 10.0.0.99: 1 sent, 0 received"));
  EXPECT_EQ(sentence_of<Node>(w1, CannotPing(emulation.worker("w2"))), "w1 can ping 10.0.0.4, and must not");
  EXPECT_EQ(sentence_of<Node>(w1, HasLink("eth9")), "w1 has no link eth9");
  EXPECT_EQ(sentence_of<Node>(w1, HasNoLink("eth0")), "w1 has a link eth0");
  EXPECT_THAT(sentence_of<Node>(w1, HasLink("flannel.100", AllOf(IsUp(), HasMtu(1400)))),
              AllOf(testing::StartsWith("w1: "), testing::EndsWith("flannel.100 has the mtu 1450, not 1400")));
  EXPECT_EQ(sentence_of<Node>(w1, HasAddress("eth0", parse_network("10.0.0.9/24"))).find("eth0 of w1 has 10.0.0.3/"),
            0U);
  EXPECT_EQ(sentence_of<Node>(w1, HasRoute(parse_network("192.0.2.0/24"))), "w1 has no route to 192.0.2.0/24");
  EXPECT_THAT(sentence_of(w1.exec({"ls", "/nowhere"}), Succeeds()),
              AllOf(testing::StartsWith("exit code 2, not 0: "),
                    testing::EndsWith("ls: cannot access '/nowhere': No such file or directory")));
  EXPECT_EQ(sentence_of(w1.exec({"echo", "one"}), Prints(HasSubstr("two"))),
            "it printed \"one\", not what has substring \"two\"");
  const auto trouble = tcp_exchange(c1, w1.address(), 9);
  ASSERT_TRUE(trouble);
  EXPECT_EQ(trouble->find("w1/c1: can't connect to 10.0.0.3:9: Connection refused"), 0U) << *trouble;
  EXPECT_NE(trouble->find("\npath: w1/c1 -> 10.0.0.3"), std::string::npos) << *trouble;
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
  const auto result = run("Fails");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(names_in(artefacts("Fails") / "evidence"),
              testing::UnorderedElementsAre("topology.json", "underlay", "e1", "w1", "w2", "w1.c1", "w2.c2", "w2.c3"));
  const auto w1 = artefacts("Fails") / "evidence" / "w1";
  EXPECT_THAT(read_file(w1 / "ruleset.txt"), HasSubstr("100.64.10.1"));
  EXPECT_THAT(read_file(w1 / "fdb.txt"), HasSubstr("dst 10.0.0.4"));
  EXPECT_THAT(read_file(w1 / "routes.txt"), HasSubstr("flannel.100"));
  EXPECT_THAT(read_file(w1 / "flanneld.log"), Not(IsEmpty()));
  EXPECT_THAT(read_file(artefacts("Fails") / "evidence" / "e1" / "etcd.log"), Not(testing::Eq(std::string{})));
  const auto packets = exec({.argv = {"tcpdump", "-n", "-r", (artefacts("Fails") / "trace.pcapng").string()}});
  EXPECT_THAT(packets, Succeeds());
}

TEST_F(RedTest, KeepsTheEvidenceOfABootThatFailed) {
  const auto result = run("Fails", "60", "RedBoot");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, HasSubstr("not a directory"));
  const auto artefacts = out_ / "selftest-emulation" / "RedBoot.Fails";
  EXPECT_THAT(names_in(artefacts / "evidence"),
              testing::UnorderedElementsAre("topology.json", "underlay", "e1", "w1", "w2"));
  EXPECT_THAT(read_file(artefacts / "evidence" / "e1" / "etcd.log"), HasSubstr("not a directory"));
  EXPECT_TRUE(fs::exists(artefacts / "trace.pcapng"));
}

TEST_F(RedTest, ThatHangsIsEndedBeforeItsTimeoutWithTheEvidenceKept) {
  const auto result = run("Hangs", "12");
  EXPECT_THAT(result, ExitsWith(124));
  EXPECT_THAT(result.err, HasSubstr("the test hangs: not over after 9 s"));
  EXPECT_TRUE(fs::exists(artefacts("Hangs") / "evidence" / "w1" / "links.txt"));
}

TEST_F(RedTest, ThatCrashesTellsItsStackAndKeepsItsEvidenceAndItsSignal) {
  const auto result = run("Crashes");
  EXPECT_EQ(result.status.signal(), SIGSEGV) << result.status.describe();
  EXPECT_THAT(result.err, AllOf(HasSubstr("crashed by SIGSEGV; its stack"), HasSubstr("selftest-emulation(+0x")));
  EXPECT_TRUE(fs::exists(artefacts("Crashes") / "evidence" / "topology.json"));
  EXPECT_THAT(read_file(artefacts("Crashes") / "evidence" / "w1" / "routes.txt"), HasSubstr("flannel.100"));
  EXPECT_TRUE(fs::exists(artefacts("Crashes") / "trace.pcapng"));
}

TEST_F(RedTest, IsRedWhenADaemonDiedAlthoughEveryAssertionHolds) {
  const auto result = run("LosesADaemon");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, AllOf(HasSubstr("w1 flanneld ended without having been told to"), HasSubstr("SIGKILL")));
}

TEST_F(RedTest, KeepsItsVerdictWhenTheDiskIsFull) {
  // Seen by this sandbox alone; what is inside it sees it too.
  ASSERT_EQ(::mount("tmpfs", out_.c_str(), "tmpfs", 0, "size=8k,nr_inodes=4"), 0);
  const auto result = run("Fails");
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, HasSubstr("on purpose"));
  EXPECT_THAT(result.err, HasSubstr("the evidence couldn't be saved"));
}

}  // namespace
}  // namespace knetsim::fixtures
