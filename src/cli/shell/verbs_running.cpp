// Verbs that run programs.
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <ostream>
#include <sstream>

#include "command.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/text.h"
#include "line_source.h"
#include "lookup.h"
#include "process_state.h"
#include "programs.h"
#include "text.h"
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
  return run_in_front(session,
                      {.argv = {"sh", "-c", std::string(line.substr(begin, end - begin))}, .trust = Trust::user});
}

/// The words are kubectl's: no name in them stands for an address. What only a shell understands is left to one, which
/// is given kubectl as $0.
int kubectl(Session& session, std::string_view line, const Words& words) {
  if (words.background)
    throw LineError({words.end, words.end + 1}, "only a program on a node can go on in the background");
  session.emulation.start_apis();
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < words.words.size(); ++i) arguments.push_back(words.words[i].text);
  auto command = Emulation::kubectl(arguments);
  if (words.needs_shell) {
    const auto begin = words.words.front().span.end;
    command.argv = {"sh", "-c", fmt::format("\"$0\"{}", line.substr(begin, words.end - begin)), command.argv.front()};
  } else {
    require_program(command.argv.front());
  }
  return run_in_front(session, command);
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
  try {
    const auto& log = started.process.log();
    wait_until_ready(started.process, {.deed = "listened",
                                       .probe = [&]() -> std::optional<std::string> {
                                         if (read_file(log).find("listening on") != std::string::npos)
                                           return std::nullopt;
                                         return "tcpdump's first line";
                                       },
                                       .watched = log});
  } catch (const Error&) {
    session.background.programs().pop_back();  // a capture that never began isn't there to be stopped
    throw;
  }
  session.terminal.out << fmt::format("capturing; capture stop ends it\n");
}

/// Told to end, tcpdump leaves what has come but isn't read yet. Each packet wakes it, so it sleeps only when it has
/// read all; under endless traffic it never does, and there is no last packet to wait for.
void wait_until_all_is_read(Process& tcpdump) {
  if (!tcpdump.running()) return;
  try {
    eventually(
        [&]() -> std::optional<std::string> {
          return process_state(tcpdump.pid()) == 'R' ? std::optional<std::string>("tcpdump's sleep") : std::nullopt;
        },
        std::chrono::seconds(1));
  } catch (const StillMissing&) {
  }
}

/// Whole packets in a file of tcpdump's (pcap-savefile(5)), which doesn't say when it couldn't write.
std::size_t packets_in(const std::filesystem::path& file) {
  struct Record {
    std::uint32_t seconds, fraction, captured, on_the_wire;
  };
  constexpr std::size_t kFileHeader = 24;
  std::ifstream input(file, std::ios::binary);
  input.ignore(kFileHeader);
  std::size_t count = 0;
  for (Record record{}; input.read(reinterpret_cast<char*>(&record), sizeof record); ++count)
    if (input.ignore(record.captured).gcount() != record.captured) break;
  return count;
}

/// "8", of "8 packets captured"
std::optional<std::size_t> captured_of(const std::string& log) {
  const auto end = log.find(" packets captured");
  if (end == std::string::npos) return std::nullopt;
  const auto begin = log.rfind('\n', end) + 1;  // npos + 1: the first line
  std::size_t count = 0;
  const auto [stop, error] = std::from_chars(log.data() + begin, log.data() + end, count);
  return error == std::errc() && stop == log.data() + end ? std::optional(count) : std::nullopt;
}

int stop_captures(Session& session) {
  int stopped = 0;
  int status = kDone;
  for (auto& program : session.background.programs()) {
    if (program.capture.empty()) continue;
    wait_until_all_is_read(program.process);
    program.process.signal(SIGINT);
    try {
      program.process.wait(std::chrono::seconds(10));
    } catch (const StillMissing&) {
      program.process.terminate(std::chrono::seconds(1));  // the other captures end all the same
    }
    const auto captured = captured_of(read_file(program.process.log()));
    const auto written = packets_in(program.capture);
    if (captured && written >= *captured) {
      session.terminal.out << fmt::format("{}: {} packets from {}\n", program.capture.string(), written, program.node);
    } else {
      status = kFailed;
      session.terminal.err << describe({.where = program.capture.string(),
                                        .tried = "keep what was captured on " + program.node,
                                        .answer = captured
                                                      ? fmt::format("it holds {} of {} packets", written, *captured)
                                                      : "tcpdump ended early:\n" + program.process.log_tail(),
                                        .remedy = "see that there is room where the file lies"})
                           << '\n';
    }
    ++stopped;
  }
  session.background.forget_ended();
  if (stopped == 0) throw InputError("nothing is being captured\n  remedy: capture C0w1 eth0 FILE starts it");
  return status;
}

int time_line(Session& session, std::string_view line, const Words& words) {
  if (words.words.size() < 2) throw LineError({words.end, words.end}, "what should be timed?", "as: time ping all");
  const std::string rest(line.substr(words.words[1].span.begin));
  // A line of a thousand of them would go a thousand calls deep.
  const auto timed = split_words(rest, skip_prompt(rest)).words;
  if (!timed.empty() && timed.front().text == "time") throw LineError(words.words[1].span, "it is timed already");
  const auto start = std::chrono::steady_clock::now();
  const int status = execute(session, rest);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  session.terminal.out << fmt::format("took {}\n", seconds_text(took.count()));
  return status;
}

constexpr int kDeepestSource = 8;
constexpr std::size_t kLongestSource = 1 << 20;  // bytes

std::string read_lines(const Word& file) {
  try {
    auto text = read_file(file.text);
    if (text.size() <= kLongestSource) return text;
  } catch (const SystemError& error) {
    throw LineError(file.span, fmt::format("can't read it: {}", errno_text(error.error())),
                    "name a file of lines as they are typed here");
  }
  throw LineError(file.span, fmt::format("it has more than {} bytes", kLongestSource));
}

/// Each line as if it were typed; those that fail don't stop it.
int source(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 1, 1);
  const auto& file = words.words[1];
  if (session.sourcing == kDeepestSource)
    throw LineError(file.span, fmt::format("files that source files: more than {} deep", kDeepestSource));
  std::istringstream lines(read_lines(file));
  ++session.sourcing;
  int first_failure = kDone;
  int number = 0;
  for (std::string line; !session.leaving && std::getline(lines, line);) {
    ++number;
    if (session.interrupted()) {
      first_failure = kExitSignal + SIGINT;
      break;
    }
    session.terminal.out << kPrompt << line << '\n' << std::flush;
    const int status = execute(session, line);
    if (status == kNotUnderstood) session.terminal.err << fmt::format("  in {}:{}\n", file.text, number);
    if (first_failure == kDone) first_failure = status;
  }
  --session.sourcing;
  return first_failure;
}

/// As iperf of Mininet's prompt: a server on the second node, a client on the first.
int iperf(Session& session, std::string_view /*line*/, const Words& words) {
  require_arguments(words, 2, 3);
  const auto& client = find_node(session, words.words[1]);
  const auto& server = find_node(session, words.words[2]);
  std::string seconds = "5";
  if (words.words.size() == 4) {
    const auto& typed = words.words[3];
    seconds = typed.text;
    unsigned count = 0;
    const auto [end, error] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), count);
    if (error != std::errc() || end != seconds.data() + seconds.size() || count == 0 || count > 3600)
      throw LineError(typed.span, "expected how many seconds, 1 to 3600");
  }
  require_program("iperf3");
  const auto address = server.address().to_string();
  auto& started =
      session.background.start(server, {"iperf3", "--server", "--one-off", "--forceflush", "--bind", address});
  const auto forget = [&] {
    session.background.programs().remove_if([&](const BackgroundProgram& one) { return &one == &started; });
  };
  int status = kFailed;
  try {
    const auto& log = started.process.log();
    wait_until_ready(started.process, {.deed = "listened",
                                       .probe = [&]() -> std::optional<std::string> {
                                         if (read_file(log).find("Server listening") != std::string::npos)
                                           return std::nullopt;
                                         return "iperf3's first line";
                                       },
                                       .watched = log});
    status = run_in_front(session, client.command({"iperf3", "--client", address, "--time", seconds}));
  } catch (...) {
    forget();
    throw;
  }
  forget();
  return status;
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
      {"exec NODE COMMAND...",
       "run a program on a node or in a container; exec may be left out",
       {"exec C0w1/c1 ping -c 1 C0w2/c2"},
       {Argument::node, Argument::program, Argument::words},
       exec_on_node,
       "See help NODE."},
      {"sh COMMAND...",
       "give the line to sh, outside all nodes",
       {"sh ps aux | grep etcd"},
       {Argument::program, Argument::words},
       shell},
      {"kubectl ARGUMENTS...",
       "ask the clusters' Kubernetes API",
       {"kubectl get nodes,pods -A -o wide", "kubectl --context C1 get pods"},
       {Argument::words},
       kubectl,
       "There is a context for each cluster, named as the cluster; the first is the current one."},
      {"capture NODE INTERFACE FILE | capture stop",
       "write packets to a file for Wireshark, in the background",
       {"capture C0w1 eth0 /tmp/knetsim/walk.pcap", "C0w1/c1 ping -c 1 C0w2/c2", "capture stop"},
       {Argument::node, Argument::interface, Argument::file},
       capture,
       "The interface may be any. The file lies where knetsim was started. Use this one for tcpdump's file: it says so "
       "if\n"
       "not every packet has got there."},
      {"time LINE...",
       "do the rest of the line, and tell how long it took",
       {"time ping all", "time w1 ls"},
       {Argument::words},
       time_line},
      {"source FILE",
       "do the lines of a file, as if they were typed",
       {"sh echo C0w1 ip route > /tmp/knetsim/lines", "source /tmp/knetsim/lines"},
       {Argument::file},
       source,
       "Lines that fail don't stop it; it ends as the first of them."},
      {"iperf NODE NODE [SECONDS]",
       "how much TCP carries from the first to the second (iperf3)",
       {"iperf C0w1/c1 C0w2/c2 1"},
       {Argument::node, Argument::node},
       iperf},
  };
}

}  // namespace knetsim::cli::shell
