#pragma once

#include <array>
#include <string>

namespace knetsim::cli {

/// A part of an emulation that exists as a real program and built in. The environment chooses: KNETSIM_FLANNEL=real.
struct Flavoured {
  const char* option;       ///< "--flannel"
  const char* variable;     ///< "KNETSIM_FLANNEL"
  const char* description;  ///< for --help
};

inline constexpr std::array<Flavoured, 2> kFlavoured{
    {{"--flannel", "KNETSIM_FLANNEL", "flanneld: auto, builtin or real"},
     {"--cni", "KNETSIM_CNI",
      "CNI plugins: auto, builtin, real, or the path of a plugin or a directory of plugins of yours"}}};

/// Throws InputError, with the remedy, for what an emulation would refuse when it boots: a value that `part` doesn't
/// know, a real program that isn't there or can't work here.
void require_flavour(const Flavoured& part, const std::string& value);

}  // namespace knetsim::cli
