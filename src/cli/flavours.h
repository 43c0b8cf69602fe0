#pragma once

#include <array>
#include <map>
#include <string>

namespace CLI {
class App;
}

namespace knetsim::cli {

/// A part of an emulation that exists as a real program and built in. The environment chooses: KNETSIM_FLANNEL=real.
struct Flavoured {
  const char* option;       ///< "--flannel"
  const char* variable;     ///< "KNETSIM_FLANNEL"
  const char* description;  ///< for --help
};

inline constexpr std::array<Flavoured, 3> kFlavoured{
    {{"--flannel", "KNETSIM_FLANNEL", "flanneld: auto, builtin or real"},
     {"--cni", "KNETSIM_CNI",
      "CNI plugins: auto, builtin, real, or the path of a plugin, a directory of plugins or a .conflist of yours"},
     {"--skupper", "KNETSIM_SKUPPER", "skrouterd: auto, builtin or real"}}};

/// What was chosen on the command line, part by part; empty: left to the environment.
using FlavourChoices = std::array<std::string, kFlavoured.size()>;
void add_flavour_options(CLI::App& app, FlavourChoices& choices);
/// The variables to set for them.
std::map<std::string, std::string> environment_for(const FlavourChoices& choices);
/// require_flavour for each part, as chosen or as the environment says.
void require_flavours(const FlavourChoices& choices);

/// Throws InputError, with the remedy, for what an emulation would refuse when it boots: a value that `part` doesn't
/// know, a real program that isn't there or can't work here.
void require_flavour(const Flavoured& part, const std::string& value);

}  // namespace knetsim::cli
