#pragma once

#include <optional>
#include <string>

namespace knetsim {

/// What a name is given to: others have claimed names of their own for each.
enum class Named { link, cluster, container };

/// Why nothing of this kind can be called so, with what to do about it; nullopt if it can. Switches and nodes become
/// links. Told apart are names that the kernel, programs or the emulation itself use for something else.
struct NameFault {
  std::string problem;
  std::string remedy;
};
std::optional<NameFault> name_fault(const std::string& name, Named named);

}  // namespace knetsim
