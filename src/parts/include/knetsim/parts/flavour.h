#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::parts {

/// Whose program stands for a part of an emulation, in each place (worker, cluster) where it stands.
enum class Flavour {
  automatic,       ///< as the environment says; else the real one if it is found, else ours
  builtin,         ///< ours
  real,            ///< the one that ours stands for
  mixed,           ///< both as neighbours: the real one in the first place, ours in the others
  mixed_reversed,  ///< the real one in the last place
};

/// "auto", "builtin", "real", "mixed", "mixed-reversed": as a topology and the environment have it.
std::string to_string(Flavour flavour);
std::ostream& operator<<(std::ostream& out, Flavour flavour);
/// The flavour that is written so; nullopt if none is.
std::optional<Flavour> flavour_named(std::string_view text);

bool is_mixed(Flavour flavour);
/// The flavour in one of `count` places. Of a mixed one that is `real` or `builtin`, of another one itself.
Flavour at(Flavour flavour, std::size_t index, std::size_t count);

}  // namespace knetsim::parts
