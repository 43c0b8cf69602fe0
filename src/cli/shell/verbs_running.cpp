// Verbs that run programs.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <ostream>

#include "knetsim/cli/text.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/text.h"
#include "lookup.h"
#include "programs.h"
#include "verbs.h"

namespace knetsim::cli::shell {

namespace {

int exec_on_node(Session& session, std::string_view line, const Words& words) {
  if (words.words.size() < 2)
    throw LineError({words.end, words.end}, "on which node, and what?", "as: exec C0w1/c1 ifconfig");
  // "--" is what `knetsim exec` wants there.
  const std::size_t first = words.words.size() > 2 && words.words[2].text == "--" ? 3 : 2;
  return run_words(session, &find_node(session, words.words[1]), line, words, first);
}

int shell(Session& session, std::string_view line, const Words& words) {
  if (words.words.size() < 2) throw LineError({words.end, words.end}, "what should sh run?", "as: sh ps aux");
  const auto begin = words.words[1].span.begin;
  const auto end = words.background ? line.size() : words.end;
  return run_in_front(session, {.argv = {"sh", "-c", std::string(line.substr(begin, end - begin))}});
}

std::vector<std::string> interfaces_of(const Node& node) {
  auto socket = node.netlink();
  std::vector<std::string> names{"any"};
  for (const auto& link : netlink::list_links(socket)) names.push_back(link.name);
  return names;
}

void start_capture(Session& session, const Words& words) {
  const auto& node = find_node(session, words.words[1]);
  const auto& interface = words.words[2];
  const auto there = interfaces_of(node);
  if (std::find(there.begin(), there.end(), interface.text) == there.end())
    throw LineError(interface.span,
                    fmt::format("{} has no interface {}{}", node.name(), excerpt(interface.text),
                                did_you_mean(interface.text, there)),
                    "one of " + join(there, ", "));
  const auto file = std::filesystem::absolute(words.words[3].text);
  std::vector<std::string> argv{"tcpdump", "-n", "-U", "--immediate-mode", "-i", interface.text, "-w", file.string()};
  // As root it would become another user, who may not write there.
  if (::geteuid() == 0) argv.insert(argv.end(), {"-Z", "root"});
  auto& started = session.background.start(node, argv, file);
  // It has its socket once it says that it listens; until then packets are missed.
  eventually([&]() -> std::optional<std::string> {
    if (!started.process.running()) throw Error("tcpdump has ended:\n" + started.process.log_tail());
    if (read_file(started.process.log()).find("listening on") != std::string::npos) return std::nullopt;
    return "tcpdump's first line";
  });
  session.terminal.out << fmt::format("capturing; capture stop ends it\n");
}

/// Told to end, tcpdump leaves what has come but isn't read yet. Each packet wakes it, so it sleeps only when it has
/// read all; under endless traffic it never does, and there is no last packet to wait for.
void wait_until_all_is_read(const Process& tcpdump) {
  try {
    eventually(
        [&]() -> std::optional<std::string> {
          const auto stat = read_file(fmt::format("/proc/{}/stat", tcpdump.pid()));
          const auto state = stat.rfind(") ");
          if (state == std::string::npos || stat.substr(state + 2, 1) != "R") return std::nullopt;
          return "tcpdump's sleep";
        },
        std::chrono::seconds(1));
  } catch (const StillMissing&) {
  }
}

int stop_captures(Session& session) {
  int stopped = 0;
  for (auto& program : session.background.programs()) {
    if (program.capture.empty()) continue;
    wait_until_all_is_read(program.process);
    program.process.signal(SIGINT);
    program.process.wait(std::chrono::seconds(10));
    const auto log = read_file(program.process.log());
    const auto end = log.find(" packets captured");
    const auto begin = log.rfind('\n', end);
    const auto count = end == std::string::npos ? std::string("?") : log.substr(begin + 1, end - begin - 1);
    session.terminal.out << fmt::format("{}: {} packets from {}\n", program.capture.string(), count, program.node);
    ++stopped;
  }
  session.background.forget_ended();
  if (stopped == 0) throw InputError("nothing is being captured\n  remedy: capture C0w1 eth0 FILE starts it");
  return kDone;
}

int capture(Session& session, std::string_view /*line*/, const Words& words) {
  require_plain(words);
  if (words.words.size() == 2 && words.words[1].text == "stop") return stop_captures(session);
  require_arguments(words, 3, 3);
  start_capture(session, words);
  return kDone;
}

}  // namespace

std::vector<Verb> running_verbs() {
  return {
      {"exec",
       "exec NODE COMMAND...",
       "run a program on a node or in a container; exec may be left out",
       "exec C0w1/c1 ping -c 1 C0w2/c2\nNames of nodes stand for their addresses. With & at the end it goes on in the "
       "background.",
       {Argument::node, Argument::program, Argument::words},
       exec_on_node},
      {"sh",
       "sh COMMAND...",
       "give the line to sh, outside all nodes",
       "",
       {Argument::program, Argument::words},
       shell},
      {"capture",
       "capture NODE INTERFACE FILE | capture stop",
       "write packets to a file for Wireshark, in the background",
       "The interface may be any. The file lies where knetsim was started.",
       {Argument::node, Argument::words, Argument::file},
       capture},
  };
}

}  // namespace knetsim::cli::shell
