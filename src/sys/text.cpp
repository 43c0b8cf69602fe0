#include "knetsim/sys/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace knetsim {

std::string excerpt(std::string_view text, std::size_t longest) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  if (text.empty()) return "nothing";
  std::string shown;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f)
      shown += fmt::format("\\x{:02x}", byte);
    else
      shown += c;
  }
  return "\"" + shown + (text.size() > longest ? "…\"" : "\"");
}

std::string fit_for_message(std::string_view text, std::size_t longest) {
  std::string fit(text.substr(0, longest));
  std::replace_if(
      fit.begin(), fit.end(), [](unsigned char c) { return (c < ' ' && c != '\n') || c == 0x7f; }, '?');
  return fit;
}

}  // namespace knetsim
