#include "knetsim/cni/find_plugin.h"

namespace knetsim::cni {

namespace fs = std::filesystem;

std::optional<fs::path> find_plugin(const std::string& type, const std::vector<fs::path>& directories) {
  for (const auto& directory : directories) {
    std::error_code ignored;
    if (auto candidate = directory / type; fs::is_regular_file(candidate, ignored)) return candidate;
  }
  return std::nullopt;
}

}  // namespace knetsim::cni
