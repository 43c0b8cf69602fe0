#include <algorithm>
#include <cstdlib>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/sys/error.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> directories() {
  if (const char* set = std::getenv("KNETSIM_TOPOLOGIES")) return {set};
  std::vector<fs::path> all;
  const fs::path beside = "../share/knetsim/topologies";
  if (const char* bindir = std::getenv("KNETSIM_BINDIR")) all.push_back(bindir / beside);
  all.push_back(fs::read_symlink("/proc/self/exe").parent_path() / beside);
  return all;
}

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
  const auto places = directories();
  for (const auto& directory : places)
    for (const auto& candidate : {directory / name, directory / (name + ".json")})
      if (fs::is_regular_file(candidate)) return candidate.lexically_normal();
  const auto there = names_in(places.back());
  throw InputError(
      describe({.where = (places.back() / name).lexically_normal().string(),
                .tried = "find the topology",
                .answer = "there is no such file",
                .remedy = (there.empty() ? "" : "one of " + there + ", or a path with a slash in it; or ") +
                          "set KNETSIM_TOPOLOGIES to the directory that holds it"}));
}

}  // namespace knetsim
