// What lines do to an emulation.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "../verbs.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "shell_fixture.h"

namespace knetsim::cli::shell {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::MatchesRegex;
using testing::StartsWith;

TEST_F(Shell, RunsProgramsOnNodesAndInContainers) {
  EXPECT_EQ(type("C0w1 ip -br address show eth0"), 0);
  EXPECT_THAT(shown, HasSubstr("10.0.0.3/8"));
  EXPECT_EQ(type("w2 ip -br address show eth0"), 0) << "a bare name is the first cluster's";
  EXPECT_THAT(shown, HasSubstr("10.0.0.4/8"));
  EXPECT_EQ(type("C0w1/c1 ip -br address show eth0"), 0);
  EXPECT_THAT(shown, HasSubstr("11.13.0."));
  EXPECT_EQ(type("exec C0w1/c1 ip -br address show eth0"), 0);
  EXPECT_THAT(shown, HasSubstr("11.13.0."));
}

TEST_F(Shell, UnderstandsTheOriginalsCalls) {
  EXPECT_EQ(type(R"(py C0w1.exec_container("c1", "ip -br address show eth0"))"), 0);
  EXPECT_THAT(shown, HasSubstr("11.13.0."));
  EXPECT_EQ(type(R"(py C0w2.create_container("c5"))"), 0) << shown;
  EXPECT_THAT(shown, HasSubstr("C0w2/c5  11.14.0."));
  EXPECT_EQ(type(R"(C0.kp_vip_add("100.64.10.1", ["c1", "c5"]))"), 0) << shown;
  EXPECT_EQ(type("services"), 0);
  EXPECT_EQ(shown, "C0  100.64.10.1 -> c1, c5\n");
  EXPECT_EQ(type(R"(py C0w2.delete_container("c5"))"), 0);
  EXPECT_EQ(type("services"), 0);
  EXPECT_THAT(shown, MatchesRegex("C0  100.64.10.1 -> c1, 11.14.0.[0-9]+ \\(gone\\)\n"));
  EXPECT_EQ(type("py C0w1.IP()"), 0);
  EXPECT_EQ(shown, "10.0.0.3\n");
}

TEST_F(Shell, KnowsMininetsHabits) {
  EXPECT_EQ(type("py C0.get(\"w2\").IP()"), 0) << shown;
  EXPECT_EQ(shown, "10.0.0.4\n");
  EXPECT_EQ(type("py net.get('C0w1').IP()"), 0) << shown;
  EXPECT_EQ(shown, "10.0.0.3\n");
  EXPECT_EQ(type(R"(C0.get("w1").exec_container("c1", "hostname"))"), 0) << shown;
  EXPECT_EQ(shown, "C0w1\n");
  EXPECT_EQ(type("C0.get(\"w1\")"), 0) << shown;
  EXPECT_EQ(shown, "C0w1  10.0.0.3\n");
  EXPECT_EQ(type("?"), 0);
  EXPECT_THAT(shown, StartsWith("nodes "));
  EXPECT_EQ(type("ping C0w1 C0w2"), 0);
  EXPECT_THAT(shown, HasSubstr("from 10.0.0.4: icmp_seq=1"));
  EXPECT_EQ(type("link s0 C0w2 down"), 0) << shown;
  EXPECT_EQ(type("ping w1 w2"), 1);
  EXPECT_EQ(type("link w2 s0 up"), 0) << shown;
  EXPECT_EQ(type("ping w1 w2"), 0);
  EXPECT_EQ(type("iperf C0w1 C0w2 1"), 0) << shown;
  EXPECT_THAT(shown, ContainsRegex("Mbits/sec|Gbits/sec"));
  EXPECT_EQ(type("daemons"), 0);
  EXPECT_THAT(shown, testing::Not(HasSubstr("iperf3")));
  EXPECT_FALSE(session_.leaving);
  EXPECT_EQ(type("EOF"), 0);
  EXPECT_TRUE(session_.leaving);
}

TEST_F(Shell, DoesTheLinesOfAFile) {
  const std::string file = std::string(kStateDirectory) + "/lines";
  std::ofstream(file) << "# first\nC0w1 echo one\n\nnonsense here\nC0w1 false\nC0w1 echo two\n";
  EXPECT_EQ(type("source " + file), 2) << "as the first that failed";
  EXPECT_THAT(shown,
              AllOf(HasSubstr("knetsim> C0w1 echo one\none\n"), HasSubstr("in " + file + ":4\n"), HasSubstr("two\n")));
  std::ofstream(file) << "source " << file << "\nC0w1 echo end\n";
  EXPECT_EQ(type("source " + file), 2);
  EXPECT_THAT(shown, HasSubstr("more than 8 deep"));
  EXPECT_EQ(session_.sourcing, 0);
  std::ofstream(file) << "exit\nC0w1 echo late\n";
  EXPECT_EQ(type("source " + file), 0);
  EXPECT_THAT(shown, testing::Not(HasSubstr("late\n")));
}

TEST_F(Shell, ShowsWhatProgramsHavePrinted) {
  EXPECT_EQ(type("C0w1 sh -c 'echo told; exec sleep 1000' &"), 0);
  eventually([&]() -> std::optional<std::string> {
    type("logs C0w1 sh");
    return shown.find("told\n") != std::string::npos ? std::nullopt : std::optional<std::string>("what it printed");
  });
  EXPECT_EQ(type("logs C0w1"), 0);
  EXPECT_THAT(shown, AllOf(HasSubstr("C0w1 sh: "), HasSubstr("told\n")));
}

TEST_F(Shell, ExplainsWhatBecomesOfPackets) {
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2"), 0) << shown;
  EXPECT_THAT(shown, StartsWith("DELIVERED to C0w1/c2: "));
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2:81"), 1);
  EXPECT_THAT(shown, StartsWith("LOST at C0w1/c2: NO_LISTENER: "));
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2 --json"), 0);
  EXPECT_THAT(shown, AllOf(StartsWith("{"), HasSubstr("\"disposition\": \"DELIVERED\"")));
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2 --dry -v"), 0);
  EXPECT_THAT(shown, StartsWith("NOTHING SENT: tables lead to C0w1/c2: "));
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c3"), 2);
  EXPECT_THAT(shown, HasSubstr("did you mean C0w1/c"));
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2 --jsn"), 2);
  EXPECT_THAT(shown, HasSubstr("did you mean --json?"));
  EXPECT_THAT(offered("explain C0w1/c1 C0w1/"), ElementsAre("C0w1/c1", "C0w1/c2"));
  session_.interrupted = [] { return true; };
  EXPECT_EQ(type("explain C0w1/c1 C0w1/c2"), 2);
  EXPECT_EQ(type("C0w1/c1 nft list ruleset"), 0);
  EXPECT_EQ(shown, "") << "nothing is left of what was interrupted";
}

TEST_F(Shell, SaysWhyPingsArentAnswered) {
  EXPECT_EQ(type("C0w1/c2 sysctl -qw net.ipv4.icmp_echo_ignore_all=1"), 0);
  EXPECT_EQ(type("ping all --why"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("LOST at C0w1/c2: REFUSED: it ignores echo requests; remedy: C0w1/c2 sysctl"),
                           HasSubstr("of C0w1/c1 -> C0w1/c2")));
  EXPECT_EQ(type(R"(C0.kp_vip_add("100.64.10.1", ["c2"]))"), 0) << shown;
  EXPECT_EQ(type("check --only vip"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("C0w1/c1 -> 100.64.10.1: no answer to 1 of 1 ping\n"),
                           HasSubstr("LOST at C0w1/c2: REFUSED: it ignores echo requests; remedy: C0w1/c2 sysctl")));
}

TEST_F(Shell, TakesANodesNameForItsAddressUnlessItIsQuoted) {
  EXPECT_EQ(type("C0w1 echo C0w2 w2 'C0w2' \"w2\" xC0w2 -w2 w2:80"), 0);
  EXPECT_EQ(shown, "10.0.0.4 10.0.0.4 C0w2 w2 xC0w2 -w2 w2:80\n");
  EXPECT_EQ(type("py w1.cmd('ip -o route get w2')"), 0);
  EXPECT_THAT(shown, HasSubstr("10.0.0.4 dev eth0"));
  EXPECT_EQ(type("C0w1 echo C0w2 | cat"), 0);
  EXPECT_EQ(shown, "10.0.0.4\n") << "also where a shell does the rest";
}

TEST_F(Shell, CallsANodeTheSameInEveryPlace) {
  type("w1/c1 hostname -I");
  const auto c1 = shown.substr(0, shown.find(' '));
  const std::vector<std::tuple<std::string, std::string, std::string>> cases{
      {"C0w2", "C0w2", "10.0.0.4"}, {"w2", "C0w2", "10.0.0.4"}, {"c0W2", "C0w2", "10.0.0.4"},
      {"C0w1/c1", "C0w1/c1", c1},   {"w1/c1", "C0w1/c1", c1},   {"c1.C0w1", "C0w1/c1", c1},
      {"c1.w1", "C0w1/c1", c1},     {"c1.c0", "C0w1/c1", c1},
  };
  for (const auto& [name, node, address] : cases) {
    EXPECT_EQ(type(name + " sh -c 'echo $KNETSIM_NODE'"), 0) << name;
    EXPECT_EQ(shown, node + "\n") << "as the first word";
    EXPECT_EQ(type("C0w1 echo " + name), 0);
    EXPECT_EQ(shown, address + "\n") << "as an argument";
    EXPECT_EQ(type("C0w2 getent ahosts '" + name + "'"), 0) << name;
    EXPECT_THAT(shown, HasSubstr(address + " ")) << "for a program";
  }
  EXPECT_EQ(type("create w2/late"), 0) << shown;
  EXPECT_EQ(type("C0w1 getent ahosts late.C0"), 0) << shown;
  EXPECT_EQ(type("delete w2/late"), 0) << shown;
  EXPECT_EQ(type("C0w1 getent ahosts late.C0"), 2) << shown;
}

TEST_F(Shell, TellsAProgramOnWhichNodeItRuns) {
  EXPECT_EQ(type("C0w1 uname -n"), 0);
  EXPECT_EQ(shown, "C0w1\n");
  EXPECT_EQ(type("C0w1/c1 uname -n"), 0);
  EXPECT_EQ(shown, "C0w1\n") << "everything but the network is the worker's";
  EXPECT_EQ(type("C0w1/c1 sh -c 'echo \"$KNETSIM_NODE $PS1\"'"), 0);
  EXPECT_THAT(shown, MatchesRegex("C0w1/c1 C0w1/c1[#$] \n"));
  EXPECT_EQ(type("C0w1/c1 bash -ic 'echo \"${PS1@P}\"'"), 0);
  EXPECT_THAT(shown, ContainsRegex("C0w1/c1:~[#$] \n")) << "whatever the host's own files say";
}

TEST_F(Shell, GivesWhatNeedsAShellToShAsItWasTyped) {
  EXPECT_EQ(type("C0w1 echo \"a  b\" | tr a x > out; cat out; echo $((1 + 2))"), 0);
  EXPECT_EQ(shown, "x  b\n3\n");
  EXPECT_EQ(type("sh echo 'one  two' | wc -w"), 0);
  EXPECT_EQ(shown, "2\n");
  EXPECT_EQ(type("echo one | tr o 0"), 0) << "outside all nodes";
  EXPECT_EQ(shown, "0ne\n");
  EXPECT_EQ(type("C0w1 echo '*'"), 0);
  EXPECT_THAT(ran.back(), ElementsAre("echo", "*")) << "no shell without need";
}

TEST_F(Shell, HandsOnHowAProgramEnded) {
  EXPECT_EQ(type("C0w1 false"), 1);
  EXPECT_EQ(type("C0w1 sh -c 'exit 7'"), 7);
  EXPECT_EQ(type("C0w1 sh -c 'kill -9 $$'"), 137);
}

TEST_F(Shell, NamesThePackageOfAProgramThatIsNotThere) {
  EXPECT_EQ(type("C0w1 no-such-program"), 127);
  EXPECT_THAT(shown, HasSubstr("no-such-program"));
  EXPECT_EQ(type("py C0w1.exec_container(\"c1\", \"no-such-program\")"), 127);
  const auto path = std::string(std::getenv("PATH"));
  ::setenv("PATH", "/nowhere", 1);
  // The sbin directories are always looked into; this program lies elsewhere.
  EXPECT_EQ(type("C0w1 tcpdump-is-not-here"), 127);
  EXPECT_EQ(type("C0w1 wget x"), 127);
  EXPECT_THAT(shown, HasSubstr("add /usr/bin to PATH"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_F(Shell, NamesTheNearestForWhatIsUnknown) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"C0w9 ifconfig", "\"C0w9\" is no verb, node or program; did you mean C0w"},
      {"nods", "did you mean nodes?"},
      {"help nods", "there is no help for \"nods\"; did you mean nodes?"},
      {"exec C0w9 ip", "there is no node \"C0w9\"; did you mean C0w"},
      {"create C0w9/c7", "there is no worker \"C0w9\"; did you mean C0w"},
      {"delete C0w1/c9", "there is no container \"C0w1/c9\"; did you mean C0w1/c"},
      {"vip add C9 100.64.10.1 c1", "there is no cluster \"C9\"; did you mean C0?"},
      {"vip ad 100.64.10.1 c1", "expected add or del; did you mean add?"},
      {"link C0w1 dwon", "expected up or down; did you mean down?"},
      {"capture C0w1 eth9 file", "has no interface \"eth9\"; did you mean eth0?"},
      {"check --only pod-to-pdo", "did you mean pod-to-pod?"},
      {"py C0w1.exec_containr(\"c1\", \"ip\")", "did you mean exec_container?"},
      {"py C0w1.exec_container(\"c9\", \"ip\")", "did you mean C0w1/c"},
  };
  for (const auto& [line, words] : cases) {
    EXPECT_EQ(type(line), 2) << line;
    EXPECT_THAT(shown, AllOf(HasSubstr(words), HasSubstr("^"))) << line;
  }
}

TEST_F(Shell, RefusesWhatMakesNoSense) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"C0w1", "what should run there?"},
      {"create", "usage: create WORKER/NAME"},
      {"create C0w1", "which container?"},
      {"create C0w1/c1", "already"},
      {"create C0w2/C1", "already"},
      {"create C0w1/a image=nginx", "nothing may follow a container's name"},
      {"create 'C0w1/a b'", "made of letters"},
      {"time", "what should be timed?"},
      {"time time nodes", "it is timed already"},
      {"time > 'time' nodes", "it is timed already"},
      {"C0w1 cd /tmp", "as: C0w1 sh -c 'cd ...; ...'"},
      {"vip add 100.64.10.1 c1 c1", "c1 stands twice"},
      {"create C0w1/", "can't be empty"},
      {"create C0w1/..", "no container can be called \"..\""},
      {"create C0w1/-rf", "begins and ends with a letter or a digit"},
      {"create C0w1/flanneld", "taken by flannel's daemon"},
      {"nodes C0w1", "nothing may follow here"},
      {"nodes | cat", "only programs on nodes"},
      {"create C0w1/c9 &", "can't go on in the background"},
      {"ps aux &", "only a program on a node"},
      {"vip add 100.64.10.1", "expected the containers"},
      {"vip add C0 nonsense c1", "isn't an address"},
      {"vip add 100.64.10.1 c9", "c9"},
      {"vip del 100.64.99.99", "no VIP"},
      {"link C0w1/c1 down", "only workers and etcd nodes"},
      {"ping 10.0.0.3", "something is missing"},
      {"ping C0w1 C0w2 C0w3", "nothing may follow"},
      {"link C0w1 C0w2 down", "no cable joins these two"},
      {"iperf C0w1 C0w2 0", "how many seconds, 1 to 3600"},
      {"source /no/such/file", "can't read it: No such file"},
      {"source /dev/zero", "can't read it"},
      {"logs C0w1", "nothing runs there"},
      {"C1.get(\"w1\").IP()", "there is no cluster \"C1\""},
      {"C0.get(\"w9\").IP()", "w9"},
      {"kill C0w1 flanneld", "there is no program on C0w1"},
      {"graph picture.bmp", "one of .svg"},
      {"capture stop", "nothing is being captured"},
      {"py C0w1.exec_container(\"c1\")", "takes 2 arguments, and 1 is given"},
      {"py C0w1.exec_container(\"c1\", \"echo 'a\")", "never closed"},
      {"py C0w1.exec_container(\"c1\", \"\")", "empty"},
      {"py C0.kp_vip_add(\"100.64.10.1\", \"c1\")", "expected a list"},
      {"py C0w1.exec_container(1, \"ip\")", "expected a container's name as a text"},
  };
  for (const auto& [line, words] : cases) {
    EXPECT_EQ(type(line), 2) << line;
    EXPECT_THAT(shown, HasSubstr(words)) << line;
  }
}

TEST_F(Shell, CreatesAndDeletesContainers) {
  EXPECT_EQ(type("create C0w2/c5"), 0) << shown;
  EXPECT_EQ(type("create C0w2 c6"), 0) << shown;
  EXPECT_NE(type("C0w1 ping -c 1 -W 5 C0w2/c5"), 0) << "no routes between workers without flannel";
  EXPECT_EQ(type("C0w2 ping -c 1 -W 5 C0w2/c5"), 0) << shown;
  EXPECT_EQ(type("delete C0w2/c5"), 0) << shown;
  EXPECT_EQ(type("delete C0w2 c6"), 0) << shown;
  EXPECT_EQ(type("delete C0w2/c6"), 2);
}

TEST_F(Shell, SaysWhatAVirtualAddressServedBefore) {
  EXPECT_EQ(type("vip add 100.64.10.1 c1"), 0);
  EXPECT_EQ(shown, "");
  EXPECT_EQ(type("vip add 100.64.10.1 c1"), 0);
  EXPECT_EQ(shown, "") << "nothing is another one now";
  EXPECT_EQ(type("vip add 100.64.10.1 c2 c1"), 0);
  EXPECT_EQ(shown, "100.64.10.1 is served by c2, c1 now, not by c1\n");
}

TEST_F(Shell, TimesALineOfAnyKind) {
  EXPECT_EQ(type("time C0w1 sh -c 'exit 7'"), 7);
  EXPECT_THAT(shown, ContainsRegex("^took [0-9.]+ s\n$"));
  EXPECT_EQ(type("time ping all"), 0);
  EXPECT_THAT(shown, AllOf(HasSubstr("2 of 2 pings answered"), HasSubstr("took ")));
}

TEST_F(Shell, PullsACableAndPutsItBack) {
  EXPECT_EQ(type("link C0w2 down"), 0) << shown;
  // The kernel tells the other end of a veth pair a moment later.
  eventually([this]() -> std::optional<std::string> {
    type("links C0w2");
    return shown.find("no carrier") != std::string::npos ? std::nullopt : std::optional(shown);
  });
  EXPECT_THAT(shown, ContainsRegex("C0w2 +eth0 +veth +no carrier"));
  EXPECT_EQ(type("link C0w2 up"), 0) << shown;
  EXPECT_EQ(type("C0w1 ping -c 1 -W 5 C0w2"), 0) << shown;
}

TEST_F(Shell, ShowsWhatStands) {
  EXPECT_EQ(type("nodes"), 0);
  EXPECT_THAT(shown,
              AllOf(HasSubstr("├─ C0w1"), HasSubstr("└─ C0w2"), HasSubstr("10.0.0.3"), HasSubstr("11.13.0.0/20")));
  EXPECT_EQ(type("routes C0w1"), 0);
  EXPECT_THAT(shown, HasSubstr("100.64.0.0/16"));
  EXPECT_EQ(type("services"), 0);
  EXPECT_THAT(shown, HasSubstr("there is no service"));
  EXPECT_EQ(type("help"), 0);
  for (const auto* verb : {"nodes", "ping", "create", "vip", "capture", "py OBJECT.METHOD"})
    EXPECT_THAT(shown, HasSubstr(verb));
  EXPECT_EQ(type("help vip"), 0);
  EXPECT_THAT(shown, HasSubstr("vip add|del"));
  EXPECT_EQ(type("dump /tmp/knetsim/evidence"), 0);
  EXPECT_THAT(read_file("/tmp/knetsim/evidence/C0w1/addresses.txt"), HasSubstr("10.0.0.3/8"));
}

TEST_F(Shell, DrawsWhatStands) {
  EXPECT_EQ(type("graph /tmp/knetsim/picture.dot"), 0) << shown;
  EXPECT_THAT(read_file("/tmp/knetsim/picture.dot"), AllOf(HasSubstr("\"s0\" -- \"C0w1\""), HasSubstr("11.13.0.")));
  EXPECT_EQ(type("graph /tmp/knetsim/picture.svg"), 0) << shown;
  EXPECT_THAT(read_file("/tmp/knetsim/picture.svg"), AllOf(HasSubstr("<svg"), HasSubstr("C0w1")));
}

TEST_F(Shell, DrawsWhatTheKernelHas) {
  type("link C0w2 down");
  type("C0w1/c1 ip link set eth0 down");
  type("C0w1/c2 ip address flush dev eth0");
  EXPECT_EQ(type("nodes"), 0);
  EXPECT_THAT(shown, AllOf(ContainsRegex("C0w2 +10.0.0.4 .*! its cable is out"), HasSubstr("(! eth0 is down)"),
                           ContainsRegex("c2  ?\\(! 11[.][0-9.]+ isn't on its eth0")));
  EXPECT_EQ(type("graph /tmp/knetsim/picture.dot"), 0) << shown;
  EXPECT_THAT(read_file("/tmp/knetsim/picture.dot"), HasSubstr("its cable is out"));
  EXPECT_EQ(type("C0w2 ip link del eth0"), 0);
  EXPECT_EQ(type("nodes"), 0);
  EXPECT_THAT(shown, ContainsRegex("\nC0w2 .*! has no eth0, plugged in nowhere\n")) << "it hangs on nothing";
}

TEST_F(Shell, PingsEveryContainerFromEveryOtherInATable) {
  EXPECT_EQ(type("create C0w2/c3"), 0);
  EXPECT_EQ(type("ping all"), 1) << "c3 is on another worker, and nothing connects them here";
  EXPECT_THAT(shown, HasSubstr("C0  c1  c2  c3\n"
                               "c1  –   ✓   ✗\n"
                               "c2  ✓   –   ✗\n"
                               "c3  ✗   ✗   –\n"
                               "2 of 6 pings answered"));
  EXPECT_EQ(type("delete C0w2/c3"), 0);
  EXPECT_EQ(type("pingall"), 0) << shown;
}

TEST_F(Shell, ChecksWhatStands) {
  EXPECT_EQ(type("vip add 100.64.10.1 c1 c2"), 0);
  EXPECT_EQ(type("check"), 0) << shown;
  EXPECT_THAT(shown, HasSubstr("6 of 6 checks hold; 5 had nothing to look at"));
  EXPECT_EQ(type("delete C0w1/c2"), 0);
  EXPECT_EQ(type("check --only=vip,workers"), 1);
  EXPECT_THAT(shown,
              AllOf(HasSubstr("✓ workers"), HasSubstr("✗ vip"), HasSubstr("1 of 2 checks hold"),
                    ContainsRegex(
                        "LOST at C0w1: NO_ENDPOINT, .*whose container is gone; remedy: vip add 100.64.10.1 C0w1/c1")));
}

TEST_F(Shell, KeepsProgramsInTheBackgroundUntilTheyAreKilledOrTheirContainerGoes) {
  EXPECT_EQ(type("C0w1 sleep 1000 &"), 0) << shown;
  EXPECT_EQ(type(R"(py C0w1.exec_container_async("c1", "sleep 1001"))"), 0) << shown;
  EXPECT_EQ(type("daemons"), 0);
  EXPECT_THAT(shown, AllOf(ContainsRegex("C0w1 +sleep +pid [0-9]+ +runs"), ContainsRegex("C0w1/c1 +sleep")));
  EXPECT_EQ(type("restart C0w1 sleep"), 2) << "what was typed can be typed again";
  EXPECT_EQ(type("kill C0w1 sleep"), 0) << shown;
  EXPECT_EQ(type("delete C0w1/c1"), 0) << shown;
  EXPECT_EQ(type("daemons"), 0);
  EXPECT_EQ(shown, "");
}

TEST_F(Shell, CapturesPacketsUntilToldToStop) {
  EXPECT_EQ(type("capture C0w1 eth0 /tmp/knetsim/packets.pcap"), 0) << shown;
  EXPECT_EQ(type("C0w1 ping -c 3 -i 0.01 C0w2"), 0) << shown;
  eventually([]() -> std::optional<std::string> {
    const auto bytes = std::filesystem::file_size("/tmp/knetsim/packets.pcap");
    return bytes > 6 * 98 ? std::nullopt : std::optional(std::to_string(bytes) + " bytes of packets only");
  });
  EXPECT_EQ(type("capture stop"), 0) << shown;
  EXPECT_THAT(shown, MatchesRegex("/tmp/knetsim/packets.pcap: ([6-9]|[1-9][0-9]+) packets from C0w1\n"));
}

TEST_F(Shell, ACapturesLastPacketsAreInItHoweverBusyTheMachineIs) {
  EXPECT_EQ(type("capture C0w1 eth0 /tmp/knetsim/packets.pcap"), 0) << shown;
  auto& tcpdump = session_.background.programs().back().process;
  tcpdump.signal(SIGSTOP);
  EXPECT_EQ(type("C0w1 ping -c 3 -i 0.01 C0w2"), 0) << shown;
  tcpdump.signal(SIGCONT);
  EXPECT_EQ(type("capture stop"), 0) << shown;
  EXPECT_THAT(shown, MatchesRegex("/tmp/knetsim/packets.pcap: ([6-9]|[1-9][0-9]+) packets from C0w1\n"));
}

TEST_F(Shell, ACaptureThatDoesNotFitSaysSo) {
  const std::filesystem::path small = "/tmp/knetsim/small";
  std::filesystem::create_directory(small);
  ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=16k"), 0);
  std::ofstream(small / "rest") << std::string(16384, 'x');
  EXPECT_EQ(type("capture C0w1 eth0 " + (small / "packets.pcap").string()), 0) << shown;
  EXPECT_EQ(type("C0w1 ping -c 3 -i 0.01 C0w2"), 0) << shown;
  EXPECT_EQ(type("capture stop"), 1);
  EXPECT_THAT(shown, ContainsRegex("packets.pcap: .*it holds 0 of ([6-9]|[1-9][0-9]+) packets"));
}

TEST_F(Shell, ACaptureThatEndedEarlyKeepsNoOtherFromItsEnd) {
  EXPECT_EQ(type("capture C0w1 eth0 /nowhere/packets.pcap"), 1);
  EXPECT_THAT(shown, HasSubstr("/nowhere/packets.pcap: No such file"));
  EXPECT_EQ(type("capture stop"), 2) << "it never began: " << shown;

  EXPECT_EQ(type("capture C0w1 eth0 /tmp/knetsim/one.pcap"), 0) << shown;
  session_.background.programs().back().process.terminate();
  EXPECT_EQ(type("capture C0w2 eth0 /tmp/knetsim/two.pcap"), 0) << shown;
  EXPECT_EQ(type("capture stop"), 0) << shown;
  EXPECT_THAT(shown, AllOf(HasSubstr("one.pcap: 0 packets"), HasSubstr("two.pcap: 0 packets")));

  EXPECT_EQ(type("capture C0w1 eth0 /tmp/knetsim/one.pcap"), 0) << shown;
  session_.background.programs().back().process.signal(SIGKILL);
  EXPECT_EQ(type("capture C0w2 eth0 /tmp/knetsim/two.pcap"), 0) << shown;
  EXPECT_EQ(type("capture stop"), 1);
  EXPECT_THAT(shown, AllOf(HasSubstr("one.pcap: can't keep"), HasSubstr("ended early"), HasSubstr("two.pcap: 0 pack")));
  EXPECT_EQ(type("capture stop"), 2) << shown;
}

TEST_F(Shell, SaysWhereADumpCannotLie) {
  for (const auto* place : {"/proc/here", "/dev/null/here", "/dev/null"}) {
    EXPECT_EQ(type(std::string("dump ") + place), 1);
    EXPECT_THAT(shown, AllOf(StartsWith(std::string(place) + ": can't make the directory"), HasSubstr("remedy: ")));
  }
}

TEST_F(Shell, HelpTellsMoreOfEveryWordThatItLists) {
  EXPECT_EQ(type("help"), 0);
  std::istringstream lines(shown);
  std::vector<std::string> words;
  for (std::string line; std::getline(lines, line) && !line.starts_with("Ctrl-");)
    if (!line.empty()) words.push_back(line.substr(0, line.find_first_of(" .")));
  EXPECT_THAT(words, IsSupersetOf({"nodes", "vip", "time", "exit", "NODE", "COMMAND", "py"}));
  for (const auto& word : words) {
    EXPECT_EQ(type("help " + word), 0) << word;
    EXPECT_THAT(shown, AllOf(StartsWith(word), HasSubstr("\nas\n"))) << word;
  }
}

TEST_F(DemoShell, DoesWhatTheHelpGivesAsExamples) {
  for (const auto* table : {&verbs(), &forms()})
    for (const auto& verb : *table)
      for (const auto& example : verb.examples) EXPECT_EQ(type(std::string(example)), 0) << example << '\n' << shown;
  EXPECT_EQ(type("connect C0 C1"), 0);
  EXPECT_EQ(shown, "C0 and C1 are connected already\n");
  EXPECT_EQ(type("expose C0w3/c4 80 svc1 1028"), 2);
  EXPECT_THAT(shown, StartsWith("C0: c4: serves svc1 already\n")) << "no place in a file that nobody wrote";
}

TEST_F(Shell, LeavesWhenToldTo) {
  EXPECT_EQ(type("exit"), 0);
  EXPECT_TRUE(session_.leaving);
}

TEST_F(Shell, CompletesWhatFits) {
  EXPECT_THAT(offered("no"), Contains("nodes"));
  EXPECT_THAT(offered("C0w1/"), ElementsAre("C0w1/c1", "C0w1/c2"));
  EXPECT_THAT(offered("C0w1 ifconf"), ElementsAre("ifconfig"));
  EXPECT_THAT(offered("C0w1 ping C0w2"), ElementsAre("C0w2"));
  EXPECT_THAT(offered("create C0"), ElementsAre("C0w1", "C0w2"));
  EXPECT_THAT(offered("delete C0w1/c"), ElementsAre("C0w1/c1", "C0w1/c2"));
  EXPECT_THAT(offered("vip "), ElementsAre("add", "del"));
  EXPECT_THAT(offered("link C0w1 "), ElementsAre("down", "up"));
  EXPECT_THAT(offered("ping a"), ElementsAre("all"));
  EXPECT_THAT(offered("ping all "), IsEmpty());
  EXPECT_THAT(offered("ping C0w1 C0w2"), ElementsAre("C0w2"));
  EXPECT_THAT(offered("time ping a"), ElementsAre("all"));
  EXPECT_THAT(offered("check "), ElementsAre("--only"));
  EXPECT_THAT(offered("check --only vi"), Contains("vip"));
  EXPECT_THAT(offered("check --only vip "), IsEmpty());
  EXPECT_THAT(offered("capture C0w1 e"), ElementsAre("eth0"));
  EXPECT_THAT(offered("delete C0w1/c1 "), IsEmpty());
  EXPECT_THAT(offered("unexpose C0 "), IsEmpty());
  EXPECT_EQ(type("vip add 100.64.10.7 c1"), 0);
  EXPECT_THAT(offered("vip del C0 "), ElementsAre("100.64.10.7"));
  EXPECT_THAT(offered("vip add C0 "), IsEmpty());
  EXPECT_THAT(offered("vip add C0 100.64.10.7 C0w1/c1 C0w1/"), ElementsAre("C0w1/c1", "C0w1/c2"));
  EXPECT_THAT(offered("py C0w1.I"), ElementsAre("IP()"));
  EXPECT_THAT(offered("help ca"), ElementsAre("capture"));
  EXPECT_THAT(offered("py C0w1.exec_container_"), ElementsAre("exec_container_async(\""));
  EXPECT_THAT(offered("py C0w1.exec_container(\"c"), ElementsAre("c1", "c2"));
  EXPECT_THAT(offered("> exec C0w2"), ElementsAre("C0w2"));
  EXPECT_THAT(offered("nodes "), IsEmpty());
}

}  // namespace
}  // namespace knetsim::cli::shell
