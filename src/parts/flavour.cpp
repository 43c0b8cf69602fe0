#include "knetsim/parts/flavour.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

namespace knetsim::parts {

namespace {

constexpr std::array<std::pair<Flavour, std::string_view>, 5> kNames{{{Flavour::automatic, "auto"},
                                                                      {Flavour::builtin, "builtin"},
                                                                      {Flavour::real, "real"},
                                                                      {Flavour::mixed, "mixed"},
                                                                      {Flavour::mixed_reversed, "mixed-reversed"}}};

}  // namespace

std::string to_string(Flavour flavour) { return std::string(kNames.at(static_cast<std::size_t>(flavour)).second); }

std::ostream& operator<<(std::ostream& out, Flavour flavour) { return out << to_string(flavour); }

std::optional<Flavour> flavour_named(std::string_view text) {
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.second == text; });
  return found != kNames.end() ? std::optional(found->first) : std::nullopt;
}

bool is_mixed(Flavour flavour) { return flavour == Flavour::mixed || flavour == Flavour::mixed_reversed; }

Flavour at(Flavour flavour, std::size_t index, std::size_t count) {
  if (!is_mixed(flavour)) return flavour;
  const bool real = flavour == Flavour::mixed ? index == 0 : index + 1 == count;
  return real ? Flavour::real : Flavour::builtin;
}

}  // namespace knetsim::parts
