#include <algorithm>
#include <cstdlib>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

/// "demo, pair, single"
std::string names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

fs::path find_topology(const std::string& name) {
  const char* set = std::getenv("KNETSIM_TOPOLOGIES");
  const auto directories = set != nullptr ? std::vector<fs::path>{set} : own_directories();
  const auto* place = set != nullptr ? "." : "../share/knetsim/topologies";
  for (const auto& candidate : {name, name + ".json"})
    if (const auto file = find_own(candidate, directories, {place}); file && fs::is_regular_file(*file)) return *file;
  const auto last = (directories.back() / place).lexically_normal();
  const auto there = names_in(last);
  throw InputError(
      describe({.where = (last / name).string(),
                .tried = "find the topology",
                .answer = "there is no such file",
                .remedy = (there.empty() ? "" : "one of " + there + ", or a path with a slash in it; or ") +
                          "set KNETSIM_TOPOLOGIES to the directory that holds it"}));
}

}  // namespace knetsim
