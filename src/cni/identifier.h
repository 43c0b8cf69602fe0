#pragma once

#include <algorithm>
#include <cctype>
#include <string_view>

namespace knetsim::cni {

/// Whether a network or a container may be called so (CNI 1.1.0, "name" and CNI_CONTAINERID): letters, digits, '_', '.'
/// and '-', a letter or digit first. Such names are safe as parts of paths.
inline bool is_identifier(std::string_view text) {
  const auto alphanumeric = [](char c) { return c >= 0 && std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !text.empty() && alphanumeric(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

/// Whether an interface may be called so: as the kernel has it.
inline bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         text.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

}  // namespace knetsim::cni
