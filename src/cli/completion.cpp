#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "command.h"
#include "knetsim/parts/part.h"
#include "shell/verbs.h"
#include "text.h"

namespace knetsim::cli {

namespace {

// What may follow an option or a command, where it isn't a file. The ids are asked for when they are needed.
const auto kWords = [] {
  std::map<std::string, std::string, std::less<>> words{
      {"--only", "$(knetsim check --list-ids 2>/dev/null)"},
      {"--color", "auto always never"},
      {"--timeout", "60 120 300"},
      {"exec", "$(knetsim ps -q 2>/dev/null) $(knetsim inspect --names 2>/dev/null)"},
      {"--lab", "$(knetsim ps -q 2>/dev/null)"},
      {"up", "demo pair single"},
      {"validate", "demo pair single"},
      {"down", "$(knetsim ps -q 2>/dev/null)"},
      {"completion", "bash zsh fish"}};
  std::string lines;
  for (const auto& verb : shell::verbs()) lines += std::string(verb.name()) + " ";
  words.emplace("do", lines + "$(knetsim inspect --names 2>/dev/null)");
  for (const auto* part : parts::kParts) words.emplace(option_of(*part), "auto builtin real");
  return words;
}();

std::vector<const CLI::Option*> named_options(const CLI::App& app) {
  std::vector<const CLI::Option*> named;
  for (const auto* option : app.get_options())
    if (!option->get_lnames().empty() && !option->get_group().empty()) named.push_back(option);
  return named;
}

std::string long_name(const CLI::Option& option) { return "--" + option.get_lnames().front(); }
bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands({})) names.push_back(command->get_name());
  for (const auto* option : named_options(app)) names.push_back(long_name(*option));
  if (const auto words = kWords.find(app.get_name()); words != kWords.end()) names.push_back(words->second);
  return join(names, " ");
}

/// Topologies have a name, or are files.
bool takes_files(const CLI::App& command) { return command.get_name() == "up" || command.get_name() == "validate"; }

std::string bash(const CLI::App& root) {
  std::string script =
      "_knetsim() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  COMPREPLY=()\n"
      "  case $previous in\n";
  std::set<std::string> done;
  for (const auto* command : root.get_subcommands({}))
    for (const auto* option : named_options(*command)) {
      const auto name = long_name(*option);
      if (!done.insert(name).second) continue;
      if (const auto words = kWords.find(name); words != kWords.end())
        script +=
            fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return;;\n", name, words->second);
      else if (takes_value(*option))
        script += fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$current\")); return;;\n", name);
    }
  script += "  esac\n  case ${COMP_WORDS[1]} in\n";
  for (const auto* command : root.get_subcommands({}))
    script += fmt::format(
        "    {}) [[ $COMP_CWORD -gt 1 ]] && COMPREPLY=($(compgen {}-W \"{}\" -- \"$current\")) && return;;\n",
        command->get_name(), takes_files(*command) ? "-f " : "", names_of(*command));
  script += fmt::format(
      "  esac\n"
      "  [[ $COMP_CWORD -eq 1 ]] && COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))\n"
      "}}\n"
      "complete -F _knetsim knetsim\n",
      names_of(root));
  return script;
}

// Inside single quotes, for zsh and fish alike.
std::string quoted(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else if (special.find(c) != std::string_view::npos)
      result += fmt::format("\\{}", c);
    else
      result += c;
  }
  return result;
}

std::string zsh_option(const CLI::Option& option) {
  const auto name = long_name(option);
  auto spec = fmt::format("{}[{}]", name, quoted(option.get_description(), "[]:\\"));
  if (takes_value(option)) {
    const auto words = kWords.find(name);
    spec += ":" + name.substr(2) + ":" + (words == kWords.end() ? "_files" : "(" + words->second + ")");
  }
  // $(...) must be expanded when the completion runs, so these specs are in double quotes.
  return name == "--only" ? fmt::format("\"{}\"", spec) : fmt::format("'{}'", spec);
}

std::string zsh(const CLI::App& root) {
  std::string script = "#compdef knetsim\n\n_knetsim() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(\n";
  for (const auto* command : root.get_subcommands({}))
    script += fmt::format("      '{}:{}'\n", command->get_name(), quoted(command->get_description(), ":\\"));
  script += "    )\n    _describe command commands\n    _arguments";
  for (const auto* option : named_options(root)) script += " " + zsh_option(*option);
  script += "\n    return\n  fi\n  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const auto* command : root.get_subcommands({})) {
    script += fmt::format("    {}) _arguments", command->get_name());
    for (const auto* option : named_options(*command)) script += " \\\n      " + zsh_option(*option);
    if (const auto words = kWords.find(command->get_name()); words != kWords.end())
      script += fmt::format(" \\\n      '1:{}:({})'", command->get_name(), words->second);
    script += ";;\n";
  }
  return script + "  esac\n}\n\n_knetsim \"$@\"\n";
}

std::string fish_options(const CLI::App& app, const std::string& condition) {
  std::string script;
  for (const auto* option : named_options(app)) {
    const auto name = long_name(*option);
    script += fmt::format("complete -c knetsim -n '{}' -l {} -d '{}'", condition, name.substr(2),
                          quoted(option->get_description(), "\\"));
    if (const auto words = kWords.find(name); words != kWords.end()) {
      const bool asks = words->second.starts_with('$');
      script += fmt::format(" -x -a '{}'", asks ? words->second.substr(1) : words->second);
    } else if (takes_value(*option)) {
      script += " -r -F";
    }
    script += "\n";
  }
  return script;
}

std::string fish(const CLI::App& root) {
  std::string script = "complete -c knetsim -f\n" + fish_options(root, "__fish_use_subcommand");
  for (const auto* command : root.get_subcommands({})) {
    const auto name = command->get_name();
    script += fmt::format("complete -c knetsim -n __fish_use_subcommand -a {} -d '{}'\n", name,
                          quoted(command->get_description(), "\\"));
    const auto inside = "__fish_seen_subcommand_from " + name;
    if (const auto words = kWords.find(name); words != kWords.end())
      script += fmt::format("complete -c knetsim -n '{}' -a '{}'\n", inside, words->second);
    script += fish_options(*command, inside);
  }
  return script;
}

/// The completion script for "bash", "zsh" or "fish", made from the parser itself: it can't forget an option.
std::string completion_script(const CLI::App& root, const std::string& shell) {
  if (shell == "bash") return bash(root);
  return shell == "zsh" ? zsh(root) : fish(root);
}

}  // namespace

Command make_completion(CLI::App& root) {
  auto* app = root.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  app->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app->footer(
      "bash: source <(knetsim completion bash)\n"
      "zsh:  knetsim completion zsh > \"${fpath[1]}/_knetsim\"\n"
      "fish: knetsim completion fish > ~/.config/fish/completions/knetsim.fish");
  return {app, [shell, &root](Terminal& terminal) {
            terminal.out << completion_script(root, *shell);
            return kExitGood;
          }};
}

}  // namespace knetsim::cli
