#pragma once

#include <array>
#include <map>
#include <string>

#include "knetsim/parts/part.h"

namespace CLI {
class App;
}

namespace knetsim::cli {

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
