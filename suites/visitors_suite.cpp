// A lab from outside: its visitors, its name, its signals and its end.
//
// Topology: single.json, unless a test says otherwise.

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "knetsim/fixtures/prompt.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/child.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::fixtures {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

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
  const auto delivered = knetsim({"explain", "--lab", "mine", "w1/c1", "w2/c2"});
  EXPECT_EQ(delivered.status.code(), 0) << delivered.err;
  EXPECT_THAT(delivered.out, StartsWith("DELIVERED to w2/c2: "));
  const auto lost = knetsim({"explain", "w1/c1", "w2/c2:81", "--json"});
  EXPECT_EQ(lost.status.code(), 1) << lost.err;
  EXPECT_THAT(lost.out, HasSubstr("\"disposition\": \"NO_LISTENER\""));

  const auto down = knetsim({"down"});
  EXPECT_EQ(down.status.code(), 0) << down.err;
  EXPECT_EQ(down.out, "mine is down\n");
  EXPECT_EQ(prompt.terminal().wait().code(), 0);
  EXPECT_THAT(knetsim({"ps"}).out, HasSubstr("no lab stands here"));
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

TEST(Visitors, HaveLinesDoneAsIfTheyWereTyped) {
  Prompt prompt("pair");
  const auto pinged = knetsim({"do", "ping", "w1/c1", "w2/c2"});
  EXPECT_EQ(pinged.status.code(), 0) << pinged.err;
  EXPECT_THAT(pinged.out, HasSubstr(" 1 received"));
  EXPECT_EQ(knetsim({"do", "w1 sh -c 'cat; exit 5'"}, "through stdin").out, "through stdin");
  EXPECT_EQ(knetsim({"do", "w1 sh -c 'exit 5'"}).status.code(), 5);
  EXPECT_EQ(knetsim({"do", "w1", "sh", "-c", "echo \"it's $((1 + 1))\" | tr 2 3"}).out, "it's 3\n")
      << "words stay what they are";
  EXPECT_EQ(knetsim({"do", "w1 echo a b | wc -w"}).out, "2\n") << "one word is a line";
  EXPECT_EQ(knetsim({"do", "--lab", "pair", "link", "w2", "down"}).status.code(), 0);
  EXPECT_THAT(prompt.type("ping w1 w2"), HasSubstr(" 0 received")) << "the prompt sees what was done";
  const auto unknown = knetsim({"do", "link", "w9", "down"});
  EXPECT_EQ(unknown.status.code(), 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean w1?"));
  const auto left = knetsim({"do", "exit"});
  EXPECT_EQ(left.status.code(), 2);
  EXPECT_THAT(left.err, HasSubstr("remedy: knetsim down pair"));
  EXPECT_EQ(prompt.type("w1 echo here"), "here\n");
}

TEST(Visitors, MayAskForTwoExplanationsAtOnce) {
  Prompt prompt("pair");
  prompt.type("w2/c2 nft 'add table inet fw'");
  prompt.type("w2/c2 nft 'add chain inet fw input { type filter hook input priority 0; }'");
  prompt.type("w2/c2 nft 'add rule inet fw input icmp type echo-request drop'");
  const auto rules = [&] {
    return prompt.type("w1/c1 nft -s list ruleset") + prompt.type("w1 nft -s list ruleset") +
           prompt.type("w2 nft -s list ruleset") + prompt.type("w2/c2 nft -s list ruleset");
  };
  EXPECT_THAT(rules(), HasSubstr("echo-request drop"));
  const auto ask = [](const char* target) {
    return std::async(std::launch::async, [target] { return knetsim({"explain", "w1/c1", target}); });
  };
  std::vector<std::future<ExecResult>> lost;
  std::vector<std::future<ExecResult>> delivered;
  for (int i = 0; i < 2; ++i) {
    lost.push_back(ask("w2/c2"));
    delivered.push_back(ask("w2/c3"));
  }
  for (auto& one : lost) EXPECT_THAT(one.get().out, StartsWith("LOST at w2/c2: DROPPED_BY_RULE"));
  for (auto& one : delivered) EXPECT_THAT(one.get().out, StartsWith("DELIVERED to w2/c3"));
  EXPECT_THAT(rules(), AllOf(HasSubstr("echo-request drop"), Not(HasSubstr("knetsim-explain"))));
}

TEST(Visitors, WaitForTheLineBeforeTheirs) {
  Prompt prompt("single");
  prompt.start("w1 sh -c 'echo $((40 + 2)) runs; cat'", "42 runs");
  auto gives_up = on_terminal({"do", "w1 echo never"});
  gives_up.expect("this one comes next");
  gives_up.write("\x03");
  EXPECT_EQ(gives_up.wait().code(), 130);
  auto visitor = on_terminal({"do", "w1 echo served"});
  visitor.expect("this one comes next");
  prompt.press_ctrl_c();
  visitor.expect("served");
  EXPECT_EQ(visitor.wait().code(), 0);
}

TEST(Visitors, InterruptTheirLinesAndNobodyElses) {
  Prompt prompt("single");
  auto visitor = on_terminal({"do", "w1 ping 127.0.0.1"});
  visitor.expect("icmp_seq=1");
  visitor.write("\x03");
  visitor.expect("packets transmitted");
  EXPECT_EQ(visitor.wait().code(), 0);
  // Without a terminal a signal does it.
  auto output = Pipe::create();
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto plain = Child::launch({.argv = {knetsim_program().string(), "do",
                                       "w1 sh -c 'trap \"exit 9\" INT; echo runs; while :; do sleep 0.1; done'"},
                              .directory = {},
                              .environment = lab_environment()},
                             null, output.write, null);
  char first = 0;
  ASSERT_EQ(::read(output.read.get(), &first, 1), 1);
  ::kill(plain.pid(), SIGINT);
  EXPECT_EQ(plain.wait(std::chrono::seconds(30)).code(), 9);
  EXPECT_EQ(prompt.type("w1 echo here"), "here\n");
}

TEST(Visitors, HearThatTheirOutputHadNoRoom) {
  Prompt prompt("single");
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  auto errors = Pipe::create();
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto visitor = Child::launch(
      {.argv = {knetsim_program().string(), "do", "nodes"}, .directory = {}, .environment = lab_environment()}, null,
      full, errors.write);
  EXPECT_EQ(visitor.wait(std::chrono::seconds(30)).code(), 1);
  std::array<char, 200> text{};
  EXPECT_GT(::read(errors.read.get(), text.data(), text.size() - 1), 0);
  EXPECT_THAT(text.data(), HasSubstr("stdout: "));
}

TEST(Visitors, WhoDontReadKeepNobodyWaiting) {
  Prompt prompt("single");
  auto full = Pipe::create();
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  // More than a pipe holds.
  prompt.type("sh for i in $(seq 40); do echo help; done > /tmp/knetsim/lines");
  auto visitor = Child::launch({.argv = {knetsim_program().string(), "do", "source", "/tmp/knetsim/lines"},
                                .directory = {},
                                .environment = lab_environment()},
                               null, full.write, null);
  full.write.reset();
  pollfd readable{full.read.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&readable, 1, 30'000), 1);
  EXPECT_THAT(knetsim({"ps"}).out, HasSubstr("single.json"));
  visitor.kill();
  EXPECT_EQ(prompt.type("w1 echo here"), "here\n") << "who has gone is waited for no more";
}

TEST(Visitors, TakeTheirProgramsWithThemWhenTheyGo) {
  Prompt prompt("single");
  for (const std::vector<std::string>& asked : {std::vector<std::string>{"exec", "w1", "--", "sleep", "98765"},
                                                std::vector<std::string>{"do", "w1", "sleep", "98765"}}) {
    SCOPED_TRACE(asked.front());
    // Without a terminal, whose end would end the program too.
    std::vector<std::string> argv{knetsim_program().string()};
    argv.insert(argv.end(), asked.begin(), asked.end());
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    auto visitor = Child::launch({.argv = argv, .directory = {}, .environment = lab_environment()}, null, null, null);
    const auto sleeps = [&] { return knetsim({"exec", "w1", "--", "pgrep", "-f", "sleep 98765$"}).status.code() == 0; };
    eventually([&]() -> std::optional<std::string> {
      return sleeps() ? std::nullopt : std::optional<std::string>("the visitor's program");
    });
    visitor.kill();
    eventually([&]() -> std::optional<std::string> {
      return sleeps() ? std::optional<std::string>("the end of the visitor's program") : std::nullopt;
    });
  }
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
      {{"explain", "w1", "w9"}, 2, "there is no node, container or address \"w9\"; did you mean w1?"},
      {{"explain", "w1"}, 2, "TO is required"},
      {{"do"}, 2, "as: knetsim do ping all"},
      {{"do", "one\ntwo"}, 2, "one knetsim do for each line"},
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

/// What runs the prompt, inside the sandbox: while that is stopped, the process outside looks well, and nothing goes
/// on.
pid_t process_inside(Prompt& prompt) {
  const auto child_of = [](pid_t pid) { return std::stoi(read_file(fmt::format("/proc/{0}/task/{0}/children", pid))); };
  return child_of(child_of(prompt.terminal().pid()));
}

TEST(ADetachedLab, StandsWithoutATerminalUntilItIsTakenDown) {
  auto up = on_terminal({"up", "--detach", "single"});
  up.expect("it stands until knetsim down single");
  EXPECT_EQ(up.wait().code(), 0);
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "single\n");
  EXPECT_EQ(knetsim({"do", "w1", "hostname"}).out, "w1\n");
  EXPECT_EQ(knetsim({"do", "create", "w1/c9"}).status.code(), 0);
  EXPECT_EQ(knetsim({"exec", "w1/c9", "--", "true"}).status.code(), 0) << "lines leave behind what they did";
  EXPECT_EQ(knetsim({"down"}).out, "single is down\n");
  EXPECT_EQ(knetsim({"ps", "-q"}).out, "");
}

TEST(ADetachedLab, KeepsNothingOfItsCallersOpen) {
  const auto piped = exec(
      {.argv = {"sh", "-c", "\"$0\" up -d single | cat", knetsim_program().string()}, .environment = lab_environment()},
      std::chrono::seconds(30));
  EXPECT_FALSE(piped.timed_out) << "cat waits for whoever holds the pipe";
  EXPECT_EQ(knetsim({"down"}).status.code(), 0);
}

TEST(ADetachedLab, ThatCantStandTellsWhyInFront) {
  Prompt first("single");
  const auto second = knetsim({"up", "-d", "single", "--name", "single"});
  EXPECT_EQ(second.status.code(), 2);
  EXPECT_THAT(second.err, HasSubstr("a lab called single runs already"));
}

TEST(ADetachedLab, TellsItsNextVisitorWhatHasEnded) {
  ASSERT_EQ(knetsim({"up", "-d", "pair"}).status.code(), 0);
  const auto killed = knetsim({"do", "sh pkill -KILL -of flanneld"});
  EXPECT_EQ(killed.status.code(), 0);
  auto told = killed.err;  // it may be gone by the end of that line
  eventually([&]() -> std::optional<std::string> {
    told += knetsim({"do", "w1", "true"}).err;
    return told.find("flanneld has ended") != std::string::npos ? std::nullopt : std::optional("news in " + told);
  });
  EXPECT_EQ(knetsim({"down"}).status.code(), 0);
}

TEST(ADetachedLab, IsEndedByASignal) {
  ASSERT_EQ(knetsim({"up", "-d", "single"}).status.code(), 0);
  const auto labs = nlohmann::json::parse(knetsim({"ps", "--json"}).out);
  ::kill(labs["labs"][0]["pid"].get<pid_t>(), SIGTERM);
  eventually([]() -> std::optional<std::string> {
    const auto names = knetsim({"ps", "-q"}).out;
    return names.empty() ? std::nullopt : std::optional(names + " still stands");
  });
}

TEST(Visitors, OfAStoppedLabAreToldSo) {
  Prompt prompt("single");
  ::kill(-prompt.terminal().pid(), SIGSTOP);  // as Ctrl-Z does
  const auto refused = knetsim({"exec", "w1", "--", "true"});
  EXPECT_EQ(refused.status.code(), 2);
  EXPECT_THAT(refused.err, HasSubstr("single: it is stopped\n  remedy: kill -CONT"));
}

TEST(Visitors, HearWhyTheyWait) {
  Prompt prompt("single");
  const auto inside = process_inside(prompt);
  ::kill(inside, SIGSTOP);
  auto visitor = on_terminal({"exec", "w1", "--", "echo", "served"});
  visitor.expect("waiting for single (pid ");
  ::kill(inside, SIGCONT);
  visitor.expect("served");
  EXPECT_EQ(visitor.wait().code(), 0);
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
  ::kill(process_inside(prompt), SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const auto refused = knetsim({"down", "--wait", "3"});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "30 s are usual";
  EXPECT_EQ(refused.status.code(), 1);
  EXPECT_THAT(refused.err, HasSubstr("it still stands after 3 s"));
  EXPECT_EQ(knetsim({"down", "--kill"}).status.code(), 0);
}

}  // namespace
}  // namespace knetsim::fixtures
