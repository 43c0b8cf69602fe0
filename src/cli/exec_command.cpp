#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "attach/state_directory.h"
#include "attach/visit.h"
#include "command.h"
#include "env_option.h"
#include "knetsim/sys/error.h"
#include "only_lab.h"

namespace knetsim::cli {

namespace {

constexpr const char* kUsage = "knetsim exec [--env VARIABLE]... [NAME] NODE[/CONTAINER] -- COMMAND...";

// Who is kept waiting hears why: on a connection of its own, so that no answer that comes late is taken for another's.
void look_whether_it_answers(const StateDirectory& labs, const std::string& name, Terminal& terminal) {
  const auto connection = labs.connect(name);
  if (!describe_lab(connection).empty()) return;
  const auto pid = peer_of(connection).pid;
  if (is_stopped(pid))
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
  const auto labs = StateDirectory::open();
  const auto name = before == 2 ? words.front() : only_lab(labs);
  look_whether_it_answers(labs, name, terminal);
  return run_in_lab(labs.connect(name), *(dashes - 1), {dashes + 1, words.end()}, terminal, variables);
}

}  // namespace

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

}  // namespace knetsim::cli
