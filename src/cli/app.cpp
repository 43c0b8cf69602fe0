#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <ostream>

#include "command.h"
#include "event_loop.h"
#include "knetsim/sys/text.h"

namespace knetsim::cli {

namespace {

constexpr std::array<CommandMaker, 12> kCommands{make_up,   make_validate, make_ps,      make_inspect,
                                                 make_exec, make_do,       make_kubectl, make_explain,
                                                 make_down, make_check,    make_doctor,  make_completion};

std::vector<std::string> names_in(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    if (!option->get_group().empty())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  for (const auto* subcommand : app.get_subcommands({})) names.push_back(subcommand->get_name());
  return names;
}

int complain(Terminal& terminal, const std::string& text, const std::string& help) {
  terminal.err << fmt::format("knetsim: {}\n  {} lists what there is\n", text, help);
  return kExitCouldNotRun;
}

int complain_about_unknown(Terminal& terminal, const CLI::App& app, const std::string& word, const std::string& help) {
  const auto name = word.substr(0, word.find('='));
  const auto near = nearest(name, names_in(app));
  return complain(terminal,
                  fmt::format("unknown {} {}{}",
                              word.starts_with("-")             ? "option"
                              : app.get_subcommands({}).empty() ? "argument"
                                                                : "command",
                              name, near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                  help);
}

/// The first word that neither the program nor the chosen subcommand understood, if there is one.
int check_leftovers(Terminal& terminal, const CLI::App& app, const CLI::App* chosen, bool takes_rest) {
  const auto in_root = app.remaining();
  if (!in_root.empty()) return complain_about_unknown(terminal, app, in_root.front(), "knetsim --help");
  if (chosen == nullptr) {
    terminal.err << app.help();
    return kExitCouldNotRun;
  }
  const auto in_command = chosen->remaining();
  if (in_command.empty() || takes_rest) return kExitGood;
  return complain_about_unknown(terminal, *chosen, in_command.front(),
                                fmt::format("knetsim {} --help", chosen->get_name()));
}

int dispatch(const std::vector<Command>& commands, const CLI::App& app, const CLI::App* chosen,
             Terminal& terminal) try {
  const auto command = std::find_if(commands.begin(), commands.end(),
                                    [&](const Command& candidate) { return candidate.options == chosen; });
  const bool takes_rest = command != commands.end() && command->takes_rest;
  if (const int code = check_leftovers(terminal, app, chosen, takes_rest); code != kExitGood || chosen == nullptr)
    return code;
  return command->run(terminal);
} catch (const Interrupted& interrupted) {
  terminal.err << "knetsim: " << interrupted.what() << '\n';
  return kExitSignal + interrupted.signal();
} catch (const std::exception& error) {
  terminal.err << "knetsim: " << error.what() << '\n';
  return kExitCouldNotRun;
}

}  // namespace

std::string_view version() { return KNETSIM_VERSION; }

int run(const std::vector<std::string>& arguments, Terminal& terminal) {
  CLI::App app{"Kubernetes networks, booted in under a second and proven check by check", "knetsim"};
  app.set_version_flag("--version", fmt::format("knetsim {}", version()));
  app.allow_extras();
  app.require_subcommand(0, 1);
  app.footer("Exit codes: 0 good, 1 a check failed, 2 could not run; 128 + the signal's number if interrupted.");
  std::vector<Command> commands;
  for (const auto make : kCommands) {
    commands.push_back(make(app));
    commands.back().options->allow_extras();
  }

  try {
    auto reversed = arguments;
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    terminal.out << app.help();
    return kExitGood;
  } catch (const CLI::CallForVersion& version) {
    terminal.out << version.what() << '\n';
    return kExitGood;
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    return complain(terminal, error.what(),
                    chosen.empty() ? "knetsim --help" : fmt::format("knetsim {} --help", chosen.front()->get_name()));
  }
  const auto subcommands = app.get_subcommands();
  const CLI::App* chosen = subcommands.empty() ? nullptr : subcommands.front();
  return dispatch(commands, app, chosen, terminal);
}

}  // namespace knetsim::cli
