#include "knetsim/cni/version.h"

#include <algorithm>

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

}  // namespace knetsim::cni
