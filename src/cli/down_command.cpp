#include <CLI/CLI.hpp>
#include <ostream>

#include "knetsim/cli/attach/state_directory.h"
#include "knetsim/cli/attach/visit.h"
#include "knetsim/cli/command.h"
#include "knetsim/cli/only_lab.h"

namespace knetsim::cli {

namespace {

struct DownOptions {
  std::string name;
  bool all = false;
};

int down(const DownOptions& options, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  auto names = labs.names();
  if (!options.all) names = {options.name.empty() ? only_lab(labs) : options.name};
  for (const auto& name : names) {
    end_lab(labs.connect(name));
    terminal.out << name << " is down\n";
  }
  return kExitGood;
}

}  // namespace

Command make_down(CLI::App& root) {
  auto* app = root.add_subcommand("down", "Take a lab down that stands, and wait until it is gone");
  auto options = std::make_shared<DownOptions>();
  auto* name = app->add_option("NAME", options->name, "Its name (knetsim ps); may be left out if only one stands");
  app->add_flag("--all", options->all, "All labs of yours")->excludes(name);
  return {app, [options](Terminal& terminal) { return down(*options, terminal); }};
}

}  // namespace knetsim::cli
