#include "recordings.h"

#include <filesystem>
#include <map>
#include <string>

#include "knetsim/sys/file.h"

namespace knetsim::kube::recordings {

const nlohmann::json& recording(std::string_view name) {
  static std::map<std::string, nlohmann::json, std::less<>> read;
  const auto found = read.find(name);
  if (found != read.end()) return found->second;
  const auto path = std::filesystem::path(KNETSIM_KUBE_DATA) / (std::string(name) + ".json");
  return read.emplace(name, nlohmann::json::parse(read_file(path))).first->second;
}

}  // namespace knetsim::kube::recordings
