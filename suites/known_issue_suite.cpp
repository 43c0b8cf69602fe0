// "Pinging containers from workers shuts down Flannel": the original's known issue, and why it isn't one here.
//
// The ping is innocent. In the original each node is one shell on a terminal with job control off, and daemons started
// there with `nohup ... &` stay in the terminal's foreground process group: the Ctrl-C that ends an endless ping
// interrupts them too, and flannel, etcd and routers shut down in good order when they are interrupted.
//
// Two halves. The guard: here, workers may ping for ever and be stopped with Ctrl-C, and every daemon lives on. The
// reproduction: a daemon started the original's way ends by Ctrl-C, and one with a session of its own doesn't.
//
// Topology: pair.json, with a router on the first worker.

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "knetsim/fixtures/emulation_test.h"
#include "knetsim/fixtures/matchers.h"
#include "knetsim/fixtures/topologies.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/route.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/skupper/site.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/pty.h"
#include "knetsim/sys/ready.h"

namespace knetsim::fixtures {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What flanneld, the real one and the built-in one, logs when it is interrupted.
constexpr const char* kShutdown = "Exiting\\.\\.\\.|shutdownHandler sent cancel signal";

/// Fields of /proc/<pid>/stat (proc(5)).
struct ProcessState {
  std::string state;  ///< "R", "S", "Z"...
  std::string parent, group, session;
  std::string terminal;  ///< the controlling one's number, 0 if there is none
};

ProcessState state_of(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 2));
  ProcessState found;
  fields >> found.state >> found.parent >> found.group >> found.session >> found.terminal;
  return found;
}

/// A shell on a terminal with job control off, as Mininet's nodes have.
class MininetShell {
 public:
  explicit MininetShell(const Node& node)
      : shell_(PtyProcess::spawn(node.command({"bash", "--norc", "--noprofile", "--noediting", "-i"}))) {
    // What is typed is echoed: the sum tells the prompt from its definition.
    shell_.write("set +m; PS1='prompt-$((1+1))> '\n");
    shell_.expect("prompt-2> ");
  }

  /// Starts `command` in the background; its pid.
  pid_t start(const std::string& command) {
    shell_.write(command + " & echo pid:$!:\n");
    const auto output = shell_.expect(std::regex("pid:[0-9]+:"));
    shell_.expect("prompt-2> ");
    return static_cast<pid_t>(std::stol(output.substr(output.rfind("pid:") + 4)));
  }

  /// Returns when the prompt is back.
  void press_ctrl_c() {
    shell_.write("\x03");
    shell_.expect("prompt-2> ");
  }

 private:
  PtyProcess shell_;
};

void wait_until_gone(pid_t pid) {
  eventually(
      [&]() -> std::optional<std::string> {
        return ::kill(pid, 0) == 0 ? std::optional("the end of process " + std::to_string(pid)) : std::nullopt;
      },
      std::chrono::seconds(30));
}

/// The signals of one of the sets in /proc/<pid>/status (proc(5)), as bits.
std::uint64_t signals_of(pid_t pid, const std::string& set) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("\n" + set + ":");
  if (at == std::string::npos) throw Error("/proc/<pid>/status has no " + set);
  return std::stoull(status.substr(at + set.size() + 2), nullptr, 16);
}

/// bash starts background jobs with SIGINT ignored, and a daemon may answer its clients before it asks for it: a Ctrl-C
/// that comes between is lost.
void wait_until_it_takes_sigint(pid_t pid) {
  constexpr std::uint64_t kInterrupt = 1ULL << (SIGINT - 1);
  eventually([&]() -> std::optional<std::string> {
    if ((signals_of(pid, "SigCgt") & kInterrupt) != 0 && (signals_of(pid, "SigIgn") & kInterrupt) == 0)
      return std::nullopt;
    return "a handler of SIGINT in process " + std::to_string(pid);
  });
}

/// pair.json, with a router as well.
Topology pair() {
  auto topology = fixtures::topology("pair.json");
  topology.clusters.at(0).skupper.emplace();
  return topology;
}

class KnownIssueFixture : public EmulationTest {
 protected:
  Worker& w1() { return worker("w1"); }
  Container& c2() { return worker("w2").container("c2"); }

  /// Of what is started by hand: among the worker's logs, and so in the evidence.
  std::filesystem::path log() { return w1().directory() / "by-hand.log"; }

  std::vector<Process*> daemons() {
    std::vector<Process*> all;
    for (auto& member : cluster("C0").etcd().members()) all.push_back(&member.process());
    for (auto* one : cluster("C0").workers()) all.push_back(&one->flanneld().process());
    all.push_back(&service_network().router(cluster("C0")).process());
    return all;
  }

  /// Nothing has ended, and flannel still does its work: a new container is reached from the other worker.
  void expect_all_is_well() {
    EXPECT_THAT(emulation().ailments(), IsEmpty());
    for (auto* daemon : daemons()) EXPECT_TRUE(daemon->running()) << daemon->name();
    const auto& late = w1().create_container("late");
    EXPECT_THAT(c2(), CanPing(late));
    EXPECT_THAT(late, CanPing(c2()));
  }
};

class KnownIssue : public KnownIssueFixture {
 protected:
  void SetUp() override { boot(pair()); }
};

TEST_F(KnownIssue, AnEndlessPingEndedByCtrlCOnATerminalHarmsNobody) {
  auto ping = PtyProcess::spawn(w1().command({"ping", c2().address().to_string()}));
  ping.expect("64 bytes from " + c2().address().to_string());
  ping.write("\x03");
  ping.expect("packets transmitted");
  EXPECT_EQ(ping.wait().code(), 0);
  expect_all_is_well();
}

TEST_F(KnownIssue, AnEndlessPingEndedBySigintWithoutATerminalHarmsNobody) {
  auto ping = w1().spawn({"ping", c2().address().to_string()}, "ping.log");
  // Its first line comes before it asks for SIGINT, and without an answer it ends with 1.
  eventually([&]() -> std::optional<std::string> {
    const auto seen = ping.log_tail();
    return seen.find("64 bytes from") != std::string::npos ? std::nullopt
                                                           : std::optional("an answer to ping:\n" + seen);
  });
  ping.signal(SIGINT);
  EXPECT_EQ(ping.wait(std::chrono::seconds(10)).code(), 0);
  expect_all_is_well();
}

TEST_F(KnownIssue, CtrlCWithNothingRunningHarmsNobody) {
  MininetShell shell(w1());
  shell.press_ctrl_c();
  expect_all_is_well();
}

TEST_F(KnownIssue, PingsToWhatIsThereAndToWhatIsNotHarmNobody) {
  const std::string count = "200";
  EXPECT_THAT(w1().exec({"ping", "-c", count, "-i", "0.002", c2().address().to_string()}), Succeeds());
  EXPECT_THAT(w1().exec({"ping", "-c", "2", "-i", "0.002", w1().container("c1").address().to_string()}), Succeeds());
  for (const std::string nobody : {"11.98.0.99", "11.200.0.1"})
    EXPECT_THAT(w1().exec({"ping", "-c", "3", "-i", "0.002", "-W", "1", nobody}), Not(Succeeds()));
  expect_all_is_well();
}

TEST_F(KnownIssue, EveryDaemonHasASessionOfItsOwnAndNoTerminal) {
  for (auto* daemon : daemons()) {
    EXPECT_EQ(::getsid(daemon->pid()), daemon->pid()) << daemon->name();
    EXPECT_EQ(state_of(daemon->pid()).terminal, "0") << daemon->name();
  }
}

/// "'a' 'b c'": words as bash takes them. The reproduction needs a shell; nothing else here does.
std::string quoted(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += "'" + word + "' ";
  return text;
}

class KnownIssueReproduction : public KnownIssueFixture, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no(parts::kFlannel, GetParam())) GTEST_SKIP() << *absent;
    boot(with_flannel(pair(), GetParam()));
    w1().flanneld().stop();
    std::filesystem::remove(w1().subnet_file());
    // The next daemon has to put it there: the data plane of the one before stays.
    netlink::Socket socket(w1().netns(), w1().name());
    netlink::delete_route(socket, {.destination = subnet_of_w2()});
  }

  std::string flanneld() {
    flannel::DaemonOptions options;
    options.etcd_endpoints = cluster("C0").etcd().endpoints();
    options.interfaces = {"eth0"};
    options.subnet_file = w1().subnet_file();
    auto words = flannel::to_arguments(options);
    words.insert(words.begin(), parts::resolve(parts::kFlannel, GetParam()).path.string());
    return quoted(words) + " >" + log().string() + " 2>&1";
  }

  Network subnet_of_w2() { return canonical(flannel::read_subnet_env(worker("w2").subnet_file()).subnet.value()); }

  /// Its file alone is no sign of that: flanneld 0.17.0 that is interrupted right after it never ends.
  void wait_until_it_works(pid_t pid) {
    wait_for_file(w1().subnet_file(), std::chrono::seconds(20));
    netlink::wait_for_route(w1().netns(), subnet_of_w2(), {}, std::chrono::seconds(20));
    wait_until_it_takes_sigint(pid);
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, KnownIssueReproduction, testing::Values(Flavour::builtin, Flavour::real),
                         flavour_name);

TEST_P(KnownIssueReproduction, FlanneldInTheTerminalsProcessGroupEndsByCtrlC) {
  MininetShell shell(w1());
  const auto pid = shell.start("nohup " + flanneld());
  wait_until_it_works(pid);
  ASSERT_EQ(::kill(pid, 0), 0);
  shell.press_ctrl_c();
  wait_until_gone(pid);
  EXPECT_THAT(read_file(log()), ContainsRegex(kShutdown));
}

TEST_P(KnownIssueReproduction, FlanneldWithASessionOfItsOwnLivesOn) {
  MininetShell shell(w1());
  const auto pid = shell.start("setsid nohup " + flanneld());
  wait_until_it_works(pid);
  shell.press_ctrl_c();
  EXPECT_EQ(::getsid(pid), pid);
  EXPECT_THAT(c2(), CanPing(w1().create_container("late")));
  // A process that has ended stays as a zombie until it is reaped, or is gone.
  EXPECT_NO_THROW(EXPECT_NE(state_of(pid).state, "Z")) << read_file(log());
  EXPECT_THAT(read_file(log()), Not(ContainsRegex(kShutdown)));
}

class KnownIssueRouter : public KnownIssueFixture, public testing::WithParamInterface<Flavour> {
 protected:
  void SetUp() override {
    if (const auto absent = why_no(parts::kSkupper, GetParam())) GTEST_SKIP() << *absent;
    boot(pair());
    service_network().router(cluster("C0")).stop();
  }

  /// A router of the same config, started in the shell; its pid once it listens.
  pid_t start_router(MininetShell& shell, const std::string& starter) {
    const auto program = parts::resolve(parts::kSkupper, GetParam());
    if (!program.root.empty()) throw Error("a router that needs another root directory can't be started by a shell");
    const auto pid = shell.start(starter + " " + quoted({program.path.string(), "-c", "/tmp/knetsim/skupper/0.json"}) +
                                 " >" + log().string() + " 2>&1");
    wait_for_file(log(), kDefaultBudget);
    eventually([&]() -> std::optional<std::string> {
      if (listening_tcp_ports(w1().netns()).contains(skupper::kInterRouterPort)) return std::nullopt;
      return "a router that listens; its log:\n" + read_file(log());
    });
    wait_until_it_takes_sigint(pid);
    return pid;
  }
};

INSTANTIATE_TEST_SUITE_P(Flavours, KnownIssueRouter, testing::Values(Flavour::builtin, Flavour::real), flavour_name);

TEST_P(KnownIssueRouter, InTheTerminalsProcessGroupItEndsByCtrlC) {
  MininetShell shell(w1());
  const auto pid = start_router(shell, "nohup");
  shell.press_ctrl_c();
  wait_until_gone(pid);
}

TEST_P(KnownIssueRouter, WithASessionOfItsOwnItLivesOn) {
  MininetShell shell(w1());
  const auto pid = start_router(shell, "setsid nohup");
  shell.press_ctrl_c();
  EXPECT_EQ(::kill(pid, 0), 0);
  EXPECT_EQ(::getsid(pid), pid);
  EXPECT_THAT(listening_tcp_ports(w1().netns()), testing::Contains(skupper::kInterRouterPort));
}

TEST_F(KnownIssue, EtcdInTheTerminalsProcessGroupEndsByCtrlC) {
  MininetShell shell(w1());
  const std::string client = "http://127.0.0.1:12379";
  const std::string peer = "http://127.0.0.1:12380";
  const auto pid = shell.start("nohup etcd --data-dir /tmp/knetsim/by-hand --listen-client-urls " + client +
                               " --advertise-client-urls " + client + " --listen-peer-urls " + peer +
                               " --initial-advertise-peer-urls " + peer + " --initial-cluster default=" + peer + " >" +
                               log().string() + " 2>&1");
  eventually([&]() -> std::optional<std::string> {
    const auto health = w1().exec({"wget", "-q", "-O", "-", client + "/health"});
    return health.ok() ? std::nullopt : std::optional("etcd's answer: " + health.err);
  });
  wait_until_it_takes_sigint(pid);
  shell.press_ctrl_c();
  wait_until_gone(pid);
  EXPECT_THAT(read_file(log()), HasSubstr("received interrupt signal"));
}

}  // namespace
}  // namespace knetsim::fixtures
