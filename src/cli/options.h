#pragma once

#include <CLI/CLI.hpp>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "knetsim/parts/part.h"
#include "terminal.h"

namespace knetsim::cli {

/// --color auto|always|never
void add_color_option(CLI::App& app, ColorMode& mode);

/// --env VARIABLE, as often as needed: what a lab's programs are told beside the few variables that all are told.
inline void add_env_option(CLI::App& app, std::vector<std::string>& variables) {
  app.add_option("--env", variables, "Hand this variable on to what is run; others of yours aren't")
      ->type_name("VARIABLE")
      ->allow_extra_args(false);
}

/// What was chosen on the command line for each of parts::kParts; empty: left to the environment.
using FlavourChoices = std::array<std::string, parts::kParts.size()>;
/// --flannel and the like.
void add_flavour_options(CLI::App& app, FlavourChoices& choices);
/// The variables to set for them.
std::map<std::string, std::string> environment_for(const FlavourChoices& choices);
/// Throws InputError, with the remedy, for what an emulation would refuse when it boots, be it chosen or as the
/// environment says: a flavour that there is none of, a real program that isn't there or can't work here.
void require_flavours(const FlavourChoices& choices);

}  // namespace knetsim::cli
