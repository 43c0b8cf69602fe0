#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/json_place.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/text.h"

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

void Topology::require_programs() const {
  for (std::size_t i = 0; i < clusters.size(); ++i)
    for (std::size_t j = 0; j < clusters[i].containers.size(); ++j) {
      const auto& container = clusters[i].containers[j];
      if (container.command.empty()) continue;
      // Seen from the container's directory, and that is made at boot.
      const auto& program = container.command.front();
      if (program.find('/') != std::string::npos && program.front() != '/') continue;
      try {
        require_program(program);
      } catch (const InputError& error) {
        throw JsonError(source, {fmt::format("/clusters/{}/containers/{}/command/0", i, j), excerpt(program),
                                 fmt::format("container {} can't run it: {}", container.name, error.what())});
      }
    }
}

fs::path find_topology(const std::string& name) {
  const char* set = std::getenv("KNETSIM_TOPOLOGIES");
  const auto directories = set != nullptr ? std::vector<fs::path>{set} : own_directories();
  const auto* place = set != nullptr ? "." : "../share/knetsim/topologies";
  for (const auto& candidate : {name, name + ".json"})
    if (const auto file = find_file(candidate, directories, {place})) return *file;
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
