// The prompt, as people and pipelines use it: `knetsim up` on a real terminal and on a pipe, and its visitors.
//
// Topology: pair.json, unless a test says otherwise.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "knetsim/emulator/topology.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;

/// The program with these arguments, run to its end with this on its stdin.
ExecResult knetsim(std::vector<std::string> arguments, const std::string& input = {}) {
  arguments.insert(arguments.begin(), knetsim_program().string());
  return exec({.argv = std::move(arguments), .directory = {}, .environment = lab_environment()},
              std::chrono::seconds(90), input);
}

PtyProcess on_terminal(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), knetsim_program().string());
  auto environment = lab_environment();
  environment["TERM"] = "xterm";
  return PtyProcess::spawn({.argv = std::move(arguments), .directory = {}, .environment = environment});
}

TEST(PromptOnATerminal, GreetsWithAPictureOfWhatStandsAndHowToAttach) {
  Prompt prompt("pair");
  EXPECT_THAT(prompt.greeting(), AllOf(ContainsRegex("✓ C0: etcd +[0-9.]+ s"), ContainsRegex("✓ ready +[0-9.]+ s"),
                                       HasSubstr("├─ w1  10.0.0.3  flannel 11."), HasSubstr("100.64.10.1 -> c2, c3"),
                                       HasSubstr("knetsim exec pair ")));
  EXPECT_EQ(prompt.leave().code(), 0);
}

TEST(PromptOnATerminal, GivesProgramsATerminalOfTheirOwn) {
  Prompt prompt("pair");
  EXPECT_THAT(prompt.type("w1 tty"), ContainsRegex("^/dev/pts/[0-9]+\n$"));
  EXPECT_THAT(prompt.type("w1 stty size"), HasSubstr("50 240"));
  prompt.start("w1 top", "load average");
  prompt.terminal().write("q");
  prompt.terminal().expect("knetsim> ");
  prompt.start("w1/c1 bash", "w1/c1:~");
  prompt.terminal().write("echo $((40 + 2)); ip -br address show eth0\n");
  prompt.terminal().expect("42\r\n");
  prompt.terminal().expect("11.");
  prompt.terminal().write("exit\n");
  prompt.terminal().expect("knetsim> ");
  EXPECT_EQ(prompt.type("w1 echo back"), "back\n");
}

TEST(PromptOnATerminal, ShowsOutputWhileAProgramRuns) {
  Prompt prompt("pair");
  prompt.start("w1 ping w2", "icmp_seq=2");
  EXPECT_THAT(prompt.press_ctrl_c(), HasSubstr("packets transmitted"));
}

TEST(PromptOnATerminal, SurvivesProgramsThatFloodHangOrSpoilTheirTerminal) {
  Prompt prompt("single");
  prompt.start("w1 yes", "y\r\ny\r\ny");
  prompt.press_ctrl_c();
  EXPECT_EQ(prompt.type("w1 echo one"), "one\n");
  prompt.type("w1 sh -c 'stty raw -echo -isig; kill -9 $$'");
  EXPECT_EQ(prompt.type("w1 echo two"), "two\n");
  prompt.start("w1 sh -c 'trap : INT QUIT; echo stuck; while :; do read x </dev/tty; done'", "stuck");
  prompt.terminal().write("\x03\x1c\x1d\x1d\x1d");
  prompt.terminal().expect("(killed by SIGKILL)");
  prompt.terminal().expect("knetsim> ");
  EXPECT_EQ(prompt.type("w1 echo three"), "three\n");
  EXPECT_EQ(prompt.leave().code(), 0);
}

TEST(PromptOnATerminal, DoesWhatWasTypedWhileAProgramRanThatDoesNotRead) {
  Prompt prompt("single");
  prompt.terminal().write("w1 sleep 0.2\nw1 echo $((1 + 1))nd\nw1 echo $((1 + 2))rd\n");
  prompt.terminal().expect("\r\n2nd\r\n");
  prompt.terminal().expect("\r\n3rd\r\n");
}

TEST(PromptOnATerminal, DropsTheLineWithCtrlCAndEditsCompletesAndRemembers) {
  Prompt prompt("single");
  prompt.terminal().write("w1 echo no");
  prompt.terminal().expect("w1 echo no");
  prompt.press_ctrl_c();
  EXPECT_EQ(prompt.type("w1 echo firsd\bt"), "first\n");
  EXPECT_EQ(prompt.type("w1 ifconf\teth0 | grep -c 10.0.0.3"), "1\n") << "completed";
  EXPECT_EQ(prompt.type("\x1b[A\x1b[A"), "first\n") << "two lines back";
  EXPECT_EQ(prompt.type("w1 echo gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f\n");
  prompt.terminal().write("\x1c");  // Ctrl-\, as in any shell
  EXPECT_EQ(prompt.type("w1 echo lives"), "lives\n");
}

TEST(PromptOnATerminal, EndsWhenItsTerminalGoes) {
  auto terminal = PtyPair::open();
  auto environment = lab_environment();
  environment["TERM"] = "xterm";
  auto program =
      Child::launch({.argv = {knetsim_program().string(), "up", "single"}, .directory = {}, .environment = environment},
                    terminal.programs, terminal.programs, terminal.programs, true);
  terminal.programs.reset();
  // A visitor is served when the prompt is there; until then it waits.
  eventually(
      []() -> std::optional<std::string> {
        return knetsim({"exec", "w1", "--", "true"}).ok() ? std::nullopt : std::optional<std::string>("the lab");
      },
      std::chrono::seconds(60));
  const std::string line = "w1 sleep 1000\n";
  ASSERT_EQ(::write(terminal.ours.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
  terminal.ours.reset();
  program.wait(std::chrono::seconds(30));
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "");
}

TEST(PromptOnAPipe, EchoesTheLinesAndDoesThem) {
  const auto ran = knetsim({"up", "pair"}, "w1 ifconfig\n\n# a comment\nw1/c1 cat\nw1 echo last");
  EXPECT_EQ(ran.status.code(), 0);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("knetsim> w1 ifconfig\n"), HasSubstr("flannel.100: flags=4163<UP,BROADCAST"),
                             EndsWith("knetsim> w1 echo last\nlast\n")))
      << "a program can't read the script, and the last line needs no newline";
}

TEST(PromptOnAPipe, RefusesALineWithoutEnd) {
  const auto ran = exec({.argv = {"sh", "-c", knetsim_program().string() + " up single </dev/zero"},
                         .directory = {},
                         .environment = lab_environment()});
  EXPECT_EQ(ran.status.code(), 2);
  EXPECT_THAT(ran.err, HasSubstr("stdin: can't read a line: it has more than 65536 bytes"));
}

TEST(PromptOnAPipe, EndsWithTheFirstFailureIfItIsStrict) {
  const std::string script = "w1 sh -c 'exit 7'\nw1 no-such-program\nw1 echo reached\n";
  EXPECT_EQ(knetsim({"up", "single"}, script).status.code(), 0);
  const auto strict = knetsim({"up", "single", "--strict"}, script);
  EXPECT_EQ(strict.status.code(), 7);
  EXPECT_THAT(strict.out, EndsWith("reached\n"));
  EXPECT_EQ(knetsim({"up", "single", "--strict"}, "w1 no-such-program\n").status.code(), 127);
  EXPECT_EQ(knetsim({"up", "single", "--strict"}, "w1 echo 'open\n").status.code(), 2);
  EXPECT_EQ(knetsim({"up", "single", "--strict"}, "w1 true\nexit\nw1 false\n").status.code(), 0);
}

TEST(PromptOnAPipe, RefusesWhatItCannotStandUpBeforeItStartsAnything) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"up", "dmo"}, "one of demo, pair, single"},
      {{"up", "./no-such.json"}, "no-such.json"},
      {{"up", "--name", "../x"}, "can't be the name of a lab"},
      {{"up", "--flannel", "bulitin"}, "bulitin"},
      {{"up", "--cni", "/nope"}, "use --cni /nope"},
  };
  for (const auto& [arguments, words] : cases) {
    const auto ran = knetsim(arguments, "exit\n");
    EXPECT_EQ(ran.status.code(), 2) << words;
    EXPECT_THAT(ran.err, HasSubstr(words));
    EXPECT_EQ(ran.out, "");
  }
}

// What whoever started the lab has in its environment: in a CI job, tokens.
TEST(Secrets, ReachNoDaemonAndNoPodUnlessTheyAreNamed) {
  for (const char* name : {"CI_JOB_TOKEN", "NAMED_TO_UP", "NAMED_TO_EXEC"}) ::setenv(name, "secret-4711", 1);
  Prompt prompt("pair", {"--env", "NAMED_TO_UP"});
  prompt.type("w1/c1 sleep 1000 &");
  // Everything but bash, which asks, its parents, and the init: they are the user's own.
  EXPECT_EQ(
      prompt.type("sh for p in $(pgrep 'etcd|flanneld|skrouterd|sleep'); do echo . | cat - /proc/$p/environ | tr '\\0' "
                  "'\\n'; done | grep -E '^[.]$|4711' | sort | uniq"),
      ".\nNAMED_TO_UP=secret-4711\n");
  EXPECT_EQ(prompt.type("w1 sh -c 'env | grep 4711'"), "NAMED_TO_UP=secret-4711\n");
  EXPECT_EQ(knetsim({"exec", "w1/c1", "--", "sh", "-c", "env | grep 4711"}).out, "NAMED_TO_UP=secret-4711\n");
  EXPECT_EQ(knetsim({"exec", "--env", "NAMED_TO_EXEC", "w1", "--", "sh", "-c", "env | grep 4711 | sort"}).out,
            "NAMED_TO_EXEC=secret-4711\nNAMED_TO_UP=secret-4711\n");
}

/// single.json with one member changed, in a file of its own.
std::string changed_topology(const std::string& pointer, const nlohmann::json& value) {
  auto topology = nlohmann::json::parse(read_file(find_topology("single")));
  topology[nlohmann::json::json_pointer(pointer)] = value;
  const std::filesystem::path file = "/tmp/knetsim/changed.json";
  write_file_atomically(file, topology.dump(1));
  return file;
}

TEST(PromptOnAPipe, RefusesATopologyWithFileLinePlaceAndRemedyBeforeItStartsAnything) {
  const std::string name = "/clusters/0/workers/0/name";
  const std::vector<std::tuple<std::string, nlohmann::json, std::string>> cases{
      {"/clusters", nlohmann::json::array(), "without a cluster"},
      {name, "default", "taken by the kernel"},
      {name, "all", "taken by the kernel"},
      {name, std::string("w\0x", 3), "\"w\\u0000x\""},
      {"/underlay", 7, "is a number, must be an object"},
      {"/clusters/0/containers/0/command", {"nosuchprog"}, "container c1 can't run it"},
  };
  for (const auto& [pointer, value, words] : cases) {
    const auto ran = knetsim({"up", changed_topology(pointer, value)}, "exit\n");
    EXPECT_EQ(ran.status.code(), 2) << words;
    EXPECT_THAT(ran.err,
                AllOf(ContainsRegex("changed.json:[0-9]+: " + pointer), HasSubstr(words), HasSubstr("remedy")));
    EXPECT_EQ(ran.out, "");
  }
  const nlohmann::json unreachable{
      {"name", "C0"}, {"switch", "s0"}, {"workers", {{{"name", "ping"}, {"address", "10.0.0.3"}}}}};
  const auto verb = knetsim({"up", changed_topology("/clusters/0", unreachable)}, "exit\n");
  EXPECT_EQ(verb.status.code(), 2);
  EXPECT_THAT(verb.err, AllOf(ContainsRegex("changed.json:[0-9]+: " + name + ": \"ping\": is a verb of the prompt"),
                              HasSubstr("remedy: ")));
  write_file_atomically("/tmp/knetsim/huge.json", "{\n\"underlay\": 1e400}");
  const auto huge = knetsim({"up", "/tmp/knetsim/huge.json"}, "exit\n");
  EXPECT_EQ(huge.status.code(), 2);
  EXPECT_THAT(huge.err, AllOf(HasSubstr("huge.json: "), HasSubstr("line 2"), HasSubstr("remedy: ")));
}

TEST(PromptOnAPipe, TellsOfANameThatIsAProgramsAndOfAContainersProgramThatEnds) {
  const auto tool = knetsim(
      {"up", changed_topology(
                 "/clusters/0",
                 {{"name", "C0"}, {"switch", "s0"}, {"workers", {{{"name", "tcpdump"}, {"address", "10.0.0.3"}}}}})},
      "tcpdump echo reached\n");
  EXPECT_EQ(tool.status.code(), 0) << tool.err;
  EXPECT_THAT(tool.err, HasSubstr("/clusters/0/workers/0/name: \"tcpdump\": is a program's name as well"));
  EXPECT_THAT(tool.out, HasSubstr("\nreached\n"));
  const auto ended = knetsim({"up", changed_topology("/clusters/0/containers/0/command", {"false"})}, "check\n");
  EXPECT_EQ(ended.status.code(), 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("w1/c1 false has ended (exit code 1); its log is "));
  EXPECT_THAT(ended.out, HasSubstr("✗ daemons"));
}

TEST(Visitors, RunProgramsOnNodesAndInContainersAndTakeTheLabDown) {
  Prompt prompt("pair", {"--name", "mine"});
  EXPECT_THAT(knetsim({"ps"}).out, ContainsRegex("mine +[0-9]+ +20[0-9-]+T[0-9:]+Z +pair.json +3 +3\n"));
  const auto inside = knetsim({"exec", "w1/c1", "--", "ip", "-br", "address", "show", "eth0"});
  EXPECT_EQ(inside.status.code(), 0);
  EXPECT_THAT(inside.out, HasSubstr("11."));
  EXPECT_EQ(knetsim({"exec", "mine", "w1", "--", "sh", "-c", "cat; exit 5"}, "through stdin").out, "through stdin");
  EXPECT_EQ(knetsim({"exec", "mine", "w1", "--", "sh", "-c", "exit 5"}).status.code(), 5);
  EXPECT_EQ(knetsim({"exec", "w1", "--", "sh", "-c", "kill -9 $$"}).status.code(), 137);
  EXPECT_EQ(prompt.type("w1 echo here"), "here\n") << "the prompt goes on meanwhile";

  const auto down = knetsim({"down"});
  EXPECT_EQ(down.status.code(), 0) << down.err;
  EXPECT_EQ(down.out, "mine is down\n");
  EXPECT_EQ(prompt.terminal().wait().code(), 0);
  EXPECT_THAT(knetsim({"ps"}).out, HasSubstr("no lab stands here"));
}

// Topology: two clusters of one worker each, on both address families.
TEST(Names, WorkInEveryProgramAndInBothFamilies) {
  std::ofstream("/tmp/knetsim/dual.json") << R"({
    "underlay": {"network": ["10.0.0.0/8", "fd00::/64"], "switches": [{"name": "s0"}]},
    "clusters": [
      {"name": "shop", "switch": "s0",
       "workers": [{"name": "shop-1", "address": ["10.0.0.1", "fd00::1"], "podSubnet": ["11.1.0.0/24", "fd01::/64"]},
                   {"name": "shopw2", "address": ["10.0.0.2", "fd00::2"], "podSubnet": ["11.2.0.0/24", "fd02::/64"]}],
       "containers": [{"name": "web", "worker": "shopw2", "command": ["python3", "-m", "http.server", "80", "--bind", "::"]},
                      {"name": "shell", "worker": "shopw2"}]},
      {"name": "bank", "switch": "s0",
       "workers": [{"name": "bank-1", "address": ["10.0.0.3", "fd00::3"]}]}
    ]})";
  Prompt prompt("/tmp/knetsim/dual.json");
  for (const auto* line :
       {"shop-1 ping -4 -c 1 -W 5 shopw2", "shop-1 ping -6 -c 1 -W 5 shopw2", "shop-1 ping -6 -c 1 -W 5 w2",
        "w2 bash -c 'ping -6 -c 1 -W 5 bank-1'", "w2/shell ping -4 -c 1 -W 5 shopw2/web",
        "w2/shell sh -c 'ping -6 -c 1 -W 5 w2/web'", "py w2.exec_container('shell', 'ping -6 -c 1 -W 5 web.shop')"})
    EXPECT_THAT(prompt.type(line), HasSubstr(" 1 received")) << line;
  for (const auto* url : {"http://web.w2/", "web.SHOP:80", "http://web.shopw2:80/"})
    EXPECT_THAT(prompt.type(std::string("w2/shell wget -T 5 -t 3 --retry-connrefused -qO- ") + url),
                HasSubstr("Directory listing"))
        << url;
  EXPECT_THAT(prompt.type("w2/shell python3 -c \"import socket; s=socket.create_connection(('w2/web', 80)); "
                          "print('connected')\""),
              "connected\n");
  const auto visitor = knetsim({"exec", "shopw2/shell", "--", "ping", "-c", "1", "-W", "5", "w2/web"});
  EXPECT_THAT(visitor.out, HasSubstr(" 1 received")) << visitor.err;
}

TEST(Visitors, HaveATerminalOfTheirOwnWhoseCtrlCReachesTheirProgramAlone) {
  Prompt prompt("pair");
  prompt.start("w1 ping w2", "icmp_seq=1");
  auto visitor = on_terminal({"exec", "w1/c1", "--", "bash", "--norc"});
  visitor.expect("# ");
  visitor.write("tty; ping 127.0.0.1\n");
  visitor.expect("/dev/pts/");
  visitor.expect("icmp_seq=1");
  visitor.write("\x03");
  visitor.expect("packets transmitted");
  visitor.write("exit 3\n");
  EXPECT_EQ(visitor.wait().code(), 3);
  prompt.terminal().expect("icmp_seq=2");
  EXPECT_THAT(prompt.press_ctrl_c(), HasSubstr("packets transmitted"));
}

TEST(Visitors, TakeTheirProgramsWithThemWhenTheyGo) {
  Prompt prompt("single");
  auto visitor = on_terminal({"exec", "w1", "--", "sleep", "98765"});
  const auto sleeps = [&] { return prompt.type("ps -eo args | grep -c 'sleep 98765$'") != "0\n"; };
  eventually([&]() -> std::optional<std::string> {
    return sleeps() ? std::nullopt : std::optional<std::string>("the visitor's program");
  });
  visitor.signal(SIGKILL);
  visitor.wait();
  eventually([&]() -> std::optional<std::string> {
    return sleeps() ? std::optional<std::string>("the end of the visitor's program") : std::nullopt;
  });
}

TEST(Visitors, AreToldWhatTheyGotWrong) {
  const auto none = knetsim({"exec", "w1", "--", "true"});
  EXPECT_EQ(none.status.code(), 2);
  EXPECT_THAT(none.err, HasSubstr("knetsim up starts one"));
  Prompt prompt("single");
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> cases{
      {{"exec", "w9", "--", "true"}, 2, "there is no node \"w9\"; did you mean w1?"},
      {{"exec", "w1", "--", "no-such-program"}, 127, "no-such-program"},
      {{"exec", "other", "w1", "--", "true"}, 2, "one of single"},
      {{"exec", "w1"}, 2, "usage: knetsim exec"},
      {{"exec"}, 2, "usage: knetsim exec"},
      {{"exec", "w1", "--"}, 2, "usage: knetsim exec"},
      {{"down", "other"}, 2, "no lab called other runs"},
      {{"up", "single", "--name", "single"}, 2, "runs already"},
  };
  for (const auto& [arguments, code, words] : cases) {
    const auto ran = knetsim(arguments);
    EXPECT_EQ(ran.status.code(), code) << words;
    EXPECT_THAT(ran.err, HasSubstr(words));
  }
}

TEST(Visitors, FindLabsUnderTheFirstFreeName) {
  Prompt first("single");
  Prompt second("single");
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "single\nsingle-2\n");
  EXPECT_EQ(knetsim({"exec", "single-2", "w1", "--", "true"}).status.code(), 0);
  EXPECT_EQ(knetsim({"exec", "w1", "--", "true"}).status.code(), 2) << "which of the two?";
  EXPECT_EQ(knetsim({"down", "--all"}).status.code(), 0);
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "");
}

TEST(Visitors, DoNotSeeALabThatWasKilled) {
  Prompt prompt("single");
  prompt.terminal().signal(SIGKILL);
  prompt.terminal().wait();
  eventually([]() -> std::optional<std::string> {
    const auto names = knetsim({"ps", "-q"}).out;
    return names.empty() ? std::nullopt : std::optional(names + " still stands");
  });
  EXPECT_EQ(knetsim({"up", "single", "--name", "single"}, "exit\n").status.code(), 0) << "its name is free again";
}

/// The namespaces of the lab that this process runs, held: the kernel won't clear them.
std::vector<NetNs> networks_of(pid_t lab) {
  std::vector<NetNs> networks;
  for (const auto* place : {"run/netns", "run/netns-left"})
    for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/root/{}", lab, place)))
      networks.push_back(NetNs::open(entry.path()));
  return networks;
}

/// Bridges and VXLAN links: what makes the kernel hold its lock when it clears a namespace.
std::size_t slow_links(const std::vector<NetNs>& networks) {
  std::size_t count = 0;
  for (const auto& network : networks) {
    netlink::Socket socket(network);
    for (const auto& link : netlink::list_links(socket)) count += link.kind == "bridge" || link.kind == "vxlan" ? 1 : 0;
  }
  return count;
}

void expect_links_are_taken_down(const std::vector<NetNs>& networks) {
  eventually([&]() -> std::optional<std::string> {
    const auto left = slow_links(networks);
    return left == 0 ? std::nullopt : std::optional(fmt::format("the end of {} bridges and VXLAN links", left));
  });
}

TEST(AnEndedLab, TakesItsLinksDownAfterwards) {
  for (const bool asked_to : {true, false}) {
    SCOPED_TRACE(asked_to ? "exit" : "SIGTERM");
    Prompt prompt("pair");
    const auto networks = networks_of(prompt.terminal().pid());
    EXPECT_EQ(slow_links(networks), 5U) << "two tunnels, the bridges of two workers, a switch";
    if (asked_to) {
      EXPECT_EQ(prompt.leave().code(), 0);
    } else {
      prompt.terminal().signal(SIGTERM);
      EXPECT_EQ(prompt.terminal().wait().code(), 143);
    }
    expect_links_are_taken_down(networks);
  }
}

TEST(StatePlace, IsClosedToOthersAndNotTakenFromThem) {
  const auto place = std::filesystem::path(lab_environment().at("XDG_RUNTIME_DIR")) / "knetsim";
  EXPECT_EQ(knetsim({"ps"}).status.code(), 0);
  struct stat made {};
  ASSERT_EQ(::stat(place.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 07777U, 0700U);

  std::filesystem::permissions(place, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  EXPECT_EQ(knetsim({"ps"}).status.code(), 2);
  EXPECT_THAT(knetsim({"ps"}).err, HasSubstr("it must be ours alone"));

  std::filesystem::remove(place);
  std::filesystem::create_directory("/tmp/knetsim/elsewhere");
  std::filesystem::permissions("/tmp/knetsim/elsewhere", std::filesystem::perms::owner_all);
  std::filesystem::create_symlink("/tmp/knetsim/elsewhere", place);
  EXPECT_EQ(knetsim({"ps"}).status.code(), 2) << "no link is followed";
}

TEST(Signals, EndTheLabAndNameThemselvesInTheExitCode) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    Prompt prompt("single");
    prompt.start("w1 sleep 1000", "");
    prompt.terminal().signal(number);
    EXPECT_EQ(prompt.terminal().wait().code(), 128 + number);
    EXPECT_EQ(knetsim({"ps", "-q"}).out, "");
  }
}

/// `knetsim up single` that does these lines, with its stdin left open.
class Script {
 public:
  explicit Script(const std::string& lines) {
    const Fd output(::open(kOutput, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    program_.emplace(Child::launch(
        {.argv = {knetsim_program().string(), "up", "single"}, .directory = {}, .environment = lab_environment()},
        input_.read, output, output));
    if (::write(input_.write.get(), lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) ADD_FAILURE();
  }

  void wait_for(const std::string& text) const {
    eventually(
        [&]() -> std::optional<std::string> {
          const auto seen = output();
          return seen.find(text) != std::string::npos ? std::nullopt : std::optional(text + " in " + seen);
        },
        std::chrono::seconds(60));
  }
  std::string output() const { return read_file(kOutput); }
  Child& program() { return *program_; }

 private:
  static constexpr const char* kOutput = "/tmp/knetsim/output";
  Pipe input_ = Pipe::create();
  std::optional<Child> program_;
};

TEST(Signals, AnInterruptEndsAScriptAndItsProgramFirst) {
  Script script("w1 sh -c 'trap \"echo summed up; exit\" INT; echo runs; while :; do sleep 0.1; done'\nw1 echo next\n");
  script.wait_for("runs\n");
  ::kill(script.program().pid(), SIGINT);
  EXPECT_EQ(script.program().wait(std::chrono::seconds(30)).code(), 130);
  EXPECT_THAT(script.output(), EndsWith("runs\nsummed up\n"));
}

TEST(Signals, AnInterruptEndsAScriptWhoseProgramIgnoresIt) {
  Script script("w1 sh -c 'trap : INT; echo runs; while :; do sleep 0.1; done'\n");
  script.wait_for("runs\n");
  ::kill(script.program().pid(), SIGINT);
  EXPECT_EQ(script.program().wait(std::chrono::seconds(30)).code(), 130);
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "");
}

TEST(Signals, AnInterruptEndsAScriptThatWaitsForItsNextLine) {
  Script script("w1 echo done\n");
  script.wait_for("\ndone\n");
  ::kill(script.program().pid(), SIGINT);
  EXPECT_EQ(script.program().wait(std::chrono::seconds(30)).code(), 130);
}

TEST(Down, ToldOfAStoppedLabSaysSoAndKillsItWhenAskedTo) {
  Prompt prompt("single");
  ::kill(-prompt.terminal().pid(), SIGSTOP);  // as Ctrl-Z does
  const auto refused = knetsim({"down"});
  EXPECT_EQ(refused.status.code(), 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("it is stopped; kill -CONT"), HasSubstr("knetsim down --kill single")));
  const auto killed = knetsim({"down", "--kill"});
  EXPECT_EQ(killed.status.code(), 0) << killed.err;
  EXPECT_EQ(killed.out, "single is down\n");
  EXPECT_EQ(prompt.terminal().wait().signal(), SIGKILL);
}

TEST(Down, WaitsNoLongerThanItWasTold) {
  Prompt prompt("single");
  const auto child_of = [](pid_t pid) { return std::stoi(read_file(fmt::format("/proc/{0}/task/{0}/children", pid))); };
  const pid_t init = child_of(prompt.terminal().pid());
  ::kill(child_of(init), SIGSTOP);  // the process outside looks well, and nothing goes on inside
  const auto refused = knetsim({"down", "--wait", "3"});
  EXPECT_EQ(refused.status.code(), 1);
  EXPECT_THAT(refused.err, HasSubstr("it still stands after 3 s"));
  EXPECT_EQ(knetsim({"down", "--kill"}).status.code(), 0);
}

}  // namespace
}  // namespace knetsim::fixtures
