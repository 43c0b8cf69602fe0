#include <CLI/CLI.hpp>

#include "command.h"
#include "completion.h"

namespace knetsim::cli {

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
