// The prompt, as people and pipelines use it: `knetsim up` on a real terminal and on a pipe.
//
// Topology: pair.json, unless a test says otherwise.

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "knetsim/emulator/topology.h"
#include "knetsim/fixtures/prompt.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;

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
                    terminal.programs, terminal.programs, terminal.programs, {.terminal = true});
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

TEST(OtherTerminals, AreToldWhatStandsAsJson) {
  using nlohmann::json;
  EXPECT_EQ(json::parse(knetsim({"ps", "--json"}).out)["labs"], json::array());
  EXPECT_EQ(knetsim({"inspect"}).status.code(), 2);
  Prompt prompt("pair");
  const auto labs = json::parse(knetsim({"ps", "--json"}).out)["labs"];
  ASSERT_EQ(labs.size(), 1U);
  EXPECT_EQ(labs[0]["name"], "pair");
  EXPECT_EQ(labs[0]["nodes"], 3);
  EXPECT_EQ(labs[0]["busy"], false);
  EXPECT_EQ(prompt.type("link w2 down"), "");
  EXPECT_EQ(prompt.type("kill w1 flanneld"), "");
  const auto lab = json::parse(knetsim({"inspect", "--lab", "pair"}).out);
  const auto& cluster = lab["clusters"][0];
  EXPECT_EQ(cluster["workers"][0]["name"], "w1");
  EXPECT_EQ(cluster["workers"][1]["addresses"], json::array({"10.0.0.4"}));
  EXPECT_EQ(cluster["workers"][1]["containers"].size(), 2U);
  EXPECT_EQ(cluster["vips"][0]["address"], "100.64.10.1");
  EXPECT_EQ(cluster["vips"][0]["backends"][0], cluster["workers"][1]["containers"][0]["addresses"][0]);
  std::map<std::string, bool> carries;
  for (const auto& cable : lab["cables"])
    if (cable["to"] == "s0") carries[cable["from"]] = cable["carries"];
  EXPECT_EQ(carries, (std::map<std::string, bool>{{"e1", true}, {"w1", true}, {"w2", false}}));
  std::map<std::string, std::string> flanneld;
  for (const auto& program : lab["programs"])
    if (program["name"] == "flanneld") flanneld[program["node"]] = program["state"];
  EXPECT_EQ(flanneld, (std::map<std::string, std::string>{{"w1", "killed by SIGKILL"}, {"w2", "runs"}}));
  EXPECT_EQ(knetsim({"inspect", "--names"}).out, "e1\nw1\nw1/c1\nw2\nw2/c2\nw2/c3\n");
}

TEST(Validate, TellsWhatUpWouldRefuse) {
  const auto good = knetsim({"validate", "demo", "pair"});
  EXPECT_EQ(good.status.code(), 0) << good.err;
  EXPECT_THAT(good.out, AllOf(HasSubstr("demo.json: good: 2 clusters, 10 nodes, 7 containers\n"),
                              HasSubstr("pair.json: good: 1 cluster, 3 nodes, 3 containers\n")));
  const std::string file = std::string(kStateDirectory) + "/bad.json";
  std::ofstream(file) << R"({"clusters": [{"name": "C0", "workers": [{"name": "ping", "address": "10.0.0.3"}]}]})";
  const auto bad = knetsim({"validate", file, "pair"});
  EXPECT_EQ(bad.status.code(), 1);
  EXPECT_THAT(bad.err, HasSubstr(file));
  EXPECT_THAT(bad.out, HasSubstr("pair.json: good")) << "one that is bad doesn't hide the others";
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
  // By the first 15 characters of a program's name, which is all that the kernel keeps; a dot for those that are there.
  const auto told = [&](const std::string& program) {
    return prompt.type(
        "sh for p in $(pgrep '" + program +
        "'); do echo . | cat - /proc/$p/environ | tr '\\0' '\\n'; done | grep -E '^[.]$|4711' | sort | uniq");
  };
  EXPECT_EQ(told("etcd"), ".\n");
  EXPECT_EQ(told("flannel"), ".\n");
  EXPECT_EQ(told("^sleep$"), ".\nNAMED_TO_UP=secret-4711\n");
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
  EXPECT_THAT(huge.err, AllOf(HasSubstr("huge.json:2:"), HasSubstr("remedy: ")));
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

}  // namespace
}  // namespace knetsim::fixtures
