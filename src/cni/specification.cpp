#include "knetsim/cni/specification.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace knetsim::cni {

const std::vector<std::string>& supported_versions() {
  static const std::vector<std::string> versions{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
  return versions;
}

bool is_supported(std::string_view version) {
  const auto& known = supported_versions();
  return std::find(known.begin(), known.end(), version) != known.end();
}

bool is_since(std::string_view version, std::string_view first) {
  const auto& known = supported_versions();
  return std::find(known.begin(), known.end(), version) >= std::find(known.begin(), known.end(), first);
}

Error::Error(Diagnosis diagnosis, Failure failure)
    : knetsim::Error(describe(diagnosis)), failure_(std::move(failure)) {}

bool is_identifier(std::string_view text) {
  const auto alphanumeric = [](char c) { return c >= 0 && std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !text.empty() && alphanumeric(text.front()) && std::all_of(text.begin(), text.end(), [&](char c) {
    return alphanumeric(c) || c == '_' || c == '.' || c == '-';
  });
}

bool is_interface_name(std::string_view text) {
  return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
         text.find_first_of("/: \t\n\v\f\r") == std::string_view::npos;
}

}  // namespace knetsim::cni
