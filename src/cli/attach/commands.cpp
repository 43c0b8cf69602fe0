#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <ostream>

#include "attach/lab_socket.h"
#include "attach/visit.h"
#include "command.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"
#include "options.h"
#include "process_state.h"
#include "text.h"

namespace knetsim::cli {

namespace {

Row row_of(const StateDirectory& labs, const std::string& name) {
  const auto connection = labs.connect(name);
  const auto pid = std::to_string(peer_of(connection).pid);
  const auto text = describe_lab(connection);
  if (text.empty()) return {name, pid, "busy"};
  const auto document = read_json({.file = name + "'s answer", .text = text});
  const JsonPlace lab(document);
  return {name,
          pid,
          lab["started"].string(),
          lab["topology"].string(),
          std::to_string(lab["nodes"].integer<std::size_t>()),
          std::to_string(lab["containers"].integer<std::size_t>())};
}

/// For programs: docs/results-schema.md, "knetsim.ps/1".
nlohmann::json object_of(const StateDirectory& labs, const std::string& name) {
  const auto connection = labs.connect(name);
  nlohmann::json lab{{"name", name}, {"pid", peer_of(connection).pid}};
  const auto text = describe_lab(connection);
  lab["busy"] = text.empty();
  if (text.empty()) return lab;
  const auto document = read_json({.file = name + "'s answer", .text = text});
  for (const auto* member : {"started", "topology", "nodes", "containers"})
    if (const auto found = document.value.find(member); found != document.value.end()) lab[member] = *found;
  return lab;
}

struct PsOptions {
  bool names_only = false;
  bool as_json = false;
};

int ps(const PsOptions& options, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  const auto names = labs.names();
  if (options.as_json) {
    nlohmann::json list{{"schema", "knetsim.ps/1"}, {"labs", nlohmann::json::array()}};
    for (const auto& name : names) list["labs"].push_back(object_of(labs, name));
    terminal.out << list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    return kExitGood;
  }
  if (options.names_only) {
    for (const auto& name : names) terminal.out << name << '\n';
    return kExitGood;
  }
  if (names.empty()) {
    terminal.out << "no lab stands here; knetsim up starts one\n";
    return kExitGood;
  }
  std::vector<Row> rows{{"NAME", "PID", "STARTED", "TOPOLOGY", "NODES", "CONTAINERS"}};
  for (const auto& name : names) rows.push_back(row_of(labs, name));
  terminal.out << table(rows);
  return kExitGood;
}

int inspect(const std::string& lab, bool names_only, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  const auto name = lab.empty() ? only_lab(labs) : lab;
  const auto text = inspect_lab(labs.connect(name));
  if (text.empty())
    throw InputError(
        fmt::format("{}: it doesn't answer: it is busy at its prompt, stopped, or hangs\n"
                    "  remedy: try again when its line has ended; knetsim ps shows its pid",
                    name));
  const auto document = read_json({.file = name + "'s answer", .text = text});
  if (!names_only) {
    terminal.out << document.value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    return kExitGood;
  }
  const auto tell = [&](const JsonPlace& node) { terminal.out << node["name"].string() << '\n'; };
  for (const auto& cluster : JsonPlace(document)["clusters"].elements()) {
    for (const auto& node : cluster["etcd"].elements()) tell(node);
    for (const auto& worker : cluster["workers"].elements()) {
      tell(worker);
      for (const auto& container : worker["containers"].elements()) tell(container);
    }
  }
  return kExitGood;
}

constexpr const char* kUsage = "knetsim exec [--env VARIABLE]... [NAME] NODE[/CONTAINER] -- COMMAND...";

// Who is kept waiting hears why: on a connection of its own, so that no answer that comes late is taken for another's.
void look_whether_it_answers(const StateDirectory& labs, const std::string& name, Terminal& terminal) {
  const auto connection = labs.connect(name);
  if (!describe_lab(connection).empty()) return;
  const auto pid = peer_of(connection).pid;
  if (process_state(pid) == 'T')
    throw InputError(fmt::format(
        "{}: it is stopped\n  remedy: kill -CONT {} lets it go on, knetsim down --kill {} ends it", name, pid, name));
  terminal.err << fmt::format("knetsim: waiting for {} (pid {}): it is busy at its prompt, or hangs\n", name, pid)
               << std::flush;
}

int exec_in_lab(const std::vector<std::string>& words, const std::vector<std::string>& variables, Terminal& terminal) {
  const auto dashes = std::find(words.begin(), words.end(), "--");
  const auto before = dashes - words.begin();
  if (dashes == words.end() || before < 1 || before > 2 || dashes + 1 == words.end())
    throw InputError(
        fmt::format("say where, then --, then what\n  usage: {}\n  as: knetsim exec C0w1/c1 -- ping -c 1 "
                    "10.0.0.4",
                    kUsage));
  if ((dashes - 1)->empty()) throw InputError("\"\" is the name of no node\n  remedy: as C0w1, or C0w1/c1");
  const auto labs = StateDirectory::open();
  const auto name = before == 2 ? words.front() : only_lab(labs);
  look_whether_it_answers(labs, name, terminal);
  return run_in_lab(labs.connect(name), *(dashes - 1), {dashes + 1, words.end()}, terminal, variables);
}

std::string in_quotes(std::string_view word) {
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'')
      text += "'\\''";
    else
      text += c;
  }
  return text + "'";
}

/// One word is a line as it would be typed; several are its words, in quotes where the prompt needs them.
std::string line_of(const std::vector<std::string>& words) {
  if (words.size() == 1) return words.front();
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%^";
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    const bool plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
    line += plain ? word : in_quotes(word);
  }
  return line;
}

int line_in_lab(const std::string& lab, const std::vector<std::string>& words, Terminal& terminal) {
  if (words.empty())
    throw InputError("which line?\n  as: knetsim do ping all\n  as: knetsim do 'C0w1 ip route | grep flannel'");
  const auto labs = StateDirectory::open();
  const auto name = lab.empty() ? only_lab(labs) : lab;
  look_whether_it_answers(labs, name, terminal);
  return do_in_lab(labs.connect(name), line_of(words), terminal);
}

int kubectl_in_lab(const std::string& lab, const std::vector<std::string>& arguments, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  const auto name = lab.empty() ? only_lab(labs) : lab;
  look_whether_it_answers(labs, name, terminal);
  return run_in_lab(labs.connect(name), {}, arguments, terminal, {});
}

using std::chrono::seconds;

// What a lab takes that has nothing else to do; from then on it is worth a word.
constexpr seconds kUsual{2};

struct DownOptions {
  std::string name;
  bool all = false;
  bool kill = false;
  int patience = 30;
};

/// The kernel ends everything in a sandbox with the process outside it.
void kill_lab(FdView connection, pid_t pid) {
  const Fd lab(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The process was the lab's when this descriptor was made if the lab is there even now.
  if (!lab || wait_for_the_end(connection, std::chrono::milliseconds(1))) return;
  if (::syscall(SYS_pidfd_send_signal, lab.get(), SIGKILL, nullptr, 0) != 0)
    throw SystemError("kill the lab", fmt::format("pid {}", pid));
}

/// Empty, or why it stands still.
std::string end_lab(FdView connection, pid_t pid, const DownOptions& options, const std::string& name,
                    Terminal& terminal) {
  if (options.kill)
    kill_lab(connection, pid);
  else
    ask_for_the_end(connection);
  const seconds patience(options.patience);
  if (wait_for_the_end(connection, std::min(kUsual, patience))) return {};
  const auto kill_it = fmt::format("knetsim down --kill {} ends it at once", name);
  if (process_state(pid) == 'T') return fmt::format("it is stopped; kill -CONT {} lets it go on, {}", pid, kill_it);
  terminal.err << fmt::format("knetsim: waiting for {} (pid {}), up to {} s\n", name, pid, patience.count())
               << std::flush;
  if (wait_for_the_end(connection, patience - kUsual)) return {};
  return fmt::format("it still stands after {} s; it may be busy at its prompt, or hang: {}", patience.count(),
                     kill_it);
}

int down(const DownOptions& options, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  auto names = labs.names();
  if (!options.all) names = {options.name.empty() ? only_lab(labs) : options.name};
  int code = kExitGood;
  for (const auto& name : names) {
    const auto connection = labs.connect(name);
    const auto obstacle = end_lab(connection, peer_of(connection).pid, options, name, terminal);
    if (obstacle.empty()) {
      terminal.out << name << " is down\n";
    } else {
      terminal.err << fmt::format("knetsim: {}: {}\n", name, obstacle);
      code = kExitBad;
    }
  }
  return code;
}

}  // namespace

Command make_ps(CLI::App& root) {
  auto* app = root.add_subcommand("ps", "List the labs that stand: those of yours that knetsim up has started");
  auto options = std::make_shared<PsOptions>();
  auto* quiet = app->add_flag("-q,--quiet", options->names_only, "Their names alone");
  app->add_flag("--json", options->as_json, "For programs (docs/results-schema.md, knetsim.ps/1)")->excludes(quiet);
  return {app, [options](Terminal& terminal) { return ps(*options, terminal); }};
}

Command make_inspect(CLI::App& root) {
  auto* app = root.add_subcommand("inspect", "Tell all that stands in a lab, as JSON");
  struct Options {
    std::string lab;
    bool names_only = false;
  };
  auto options = std::make_shared<Options>();
  app->add_option("--lab", options->lab, "Which lab, if several stand (knetsim ps)")->type_name("LAB");
  app->add_flag("--names", options->names_only, "The names of its nodes and containers alone");
  app->footer(
      "Clusters with their nodes, containers and virtual addresses, cables, and programs with their state:\n"
      "docs/results-schema.md, knetsim.inspect/1.\n"
      "Exit codes: 0; 2 could not look.");
  return {app, [options](Terminal& terminal) { return inspect(options->lab, options->names_only, terminal); }};
}

Command make_exec(CLI::App& root) {
  auto* app = root.add_subcommand("exec", "Run a program on a node of a lab that stands, from another terminal");
  app->prefix_command();
  auto variables = std::make_shared<std::vector<std::string>>();
  add_env_option(*app, *variables);
  app->footer(
      fmt::format("Usage: {}\n", kUsage) +
      "NAME may be left out if only one lab stands (knetsim ps). On a terminal the program has one of its own.\n"
      "Exit codes: the program's; 128 + the signal's number; 127 it isn't there; 2 could not run.");
  return {app, [app, variables](Terminal& terminal) { return exec_in_lab(app->remaining(), *variables, terminal); },
          true};
}

Command make_do(CLI::App& root) {
  auto* app = root.add_subcommand("do", "Do a line of the prompt in a lab that stands, from another terminal");
  app->prefix_command();
  auto lab = std::make_shared<std::string>();
  app->add_option("--lab", *lab, "Which lab, if several stand (knetsim ps)")->type_name("LAB");
  app->footer(
      "Usage: knetsim do [--lab LAB] WORDS...\n"
      "As: knetsim do ping all; knetsim do link C0w2 down; knetsim do 'C0w1 ip route | grep flannel'\n"
      "Several words are those of the line; a single one is the whole line as it would be typed (knetsim do help).\n"
      "Lines are done one after the other: this one waits for what is being done at the prompt.\n"
      "Exit codes: the line's; 1 it failed; 2 it wasn't understood, or could not be begun; 127 no such program; 128 + "
      "the\n"
      "signal's number.");
  return {app, [app, lab](Terminal& terminal) { return line_in_lab(*lab, app->remaining(), terminal); }, true};
}

Command make_kubectl(CLI::App& root) {
  auto* app = root.add_subcommand("kubectl", "Run kubectl in a lab that stands, from another terminal");
  app->prefix_command();
  auto lab = std::make_shared<std::string>();
  app->add_option("--lab", *lab, "Which lab, if several stand (knetsim ps)")->type_name("LAB");
  app->footer(
      "Usage: knetsim kubectl [--lab LAB] ARGUMENTS...\n"
      "As: knetsim kubectl get pods -A -o wide\n"
      "There is a context for each cluster, named as the cluster (--context C1); the first is the current one.\n"
      "KNETSIM_KUBECTL=PATH, set for knetsim up, chooses the program.\n"
      "Exit codes: kubectl's; 128 + the signal's number; 127 it isn't there; 2 could not run.");
  return {app, [app, lab](Terminal& terminal) { return kubectl_in_lab(*lab, app->remaining(), terminal); }, true};
}

Command make_explain(CLI::App& root) {
  struct ExplainOptions {
    std::string lab;
    std::string from;
    std::string to;
    bool verbose = false;
    bool json = false;
    bool dry = false;
  };
  auto* app = root.add_subcommand("explain", "Follow packets through a lab that stands, and say where they are lost");
  auto options = std::make_shared<ExplainOptions>();
  app->add_option("--lab", options->lab, "Which lab, if several stand (knetsim ps)")->type_name("LAB");
  app->add_option("FROM", options->from, "The node or container that sends")->required();
  app->add_option("TO", options->to, "A node, container, address or svc/NAME, with :PORT and /PROTOCOL")->required();
  app->add_flag("-v,--verbose", options->verbose, "All that was seen");
  app->add_flag("--json", options->json, "The same for programs (docs/explain.md)");
  app->add_flag("--dry", options->dry, "Look at routes, neighbours, Services and listeners; send nothing");
  app->footer(
      "As: knetsim explain C0w1/c1 C0w2/c2:80/tcp\n"
      "Exit codes: 0 delivered; 1 lost; 2 it couldn't be looked at.");
  return {app, [options](Terminal& terminal) {
            const auto labs = StateDirectory::open();
            const auto name = options->lab.empty() ? only_lab(labs) : options->lab;
            look_whether_it_answers(labs, name, terminal);
            return explain_in_lab(labs.connect(name), options->from, options->to, options->verbose, options->json,
                                  options->dry, terminal);
          }};
}

Command make_down(CLI::App& root) {
  auto* app = root.add_subcommand("down", "Take a lab down that stands, and wait until it is gone");
  auto options = std::make_shared<DownOptions>();
  auto* name = app->add_option("NAME", options->name, "Its name (knetsim ps); may be left out if only one stands");
  app->add_flag("--all", options->all, "All labs of yours")->excludes(name);
  app->add_option("--wait", options->patience, "How many seconds to wait for its end")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  app->add_flag("--kill", options->kill, "Ask nobody: SIGKILL, and the kernel destroys what stands");
  app->footer("Exit codes: 0 it is down; 1 it still stands; 2 could not run.");
  return {app, [options](Terminal& terminal) { return down(*options, terminal); }};
}

}  // namespace knetsim::cli
