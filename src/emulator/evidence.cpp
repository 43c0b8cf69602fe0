#include "knetsim/emulator/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "knetsim/emulator/places.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

struct View {
  const char* file;
  std::vector<std::string> argv;
};

const std::array<View, 8>& views() {
  static const std::array<View, 8> all{{
      {"links.txt", {"ip", "-details", "-statistics", "link", "show"}},
      {"addresses.txt", {"ip", "address", "show"}},
      {"routes.txt", {"ip", "route", "show", "table", "all"}},
      {"routes6.txt", {"ip", "-6", "route", "show", "table", "all"}},
      {"neighbours.txt", {"ip", "neighbour", "show"}},
      {"fdb.txt", {"bridge", "fdb", "show"}},
      {"ruleset.txt", {"nft", "list", "ruleset"}},
      {"connections.txt", {"cat", "/proc/net/nf_conntrack"}},
  }};
  return all;
}

std::string output_of(const Command& command) {
  try {
    const auto result = exec(command, std::chrono::seconds(5));
    if (result.ok()) return result.out;
    return fmt::format("{}{}\n({})\n", result.out, result.err, result.status.describe());
  } catch (const Error& error) {
    return fmt::format("({})\n", error.what());
  }
}

void save_logs(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const auto kind = entry.path().extension();
    if (entry.is_regular_file() && (kind == ".log" || kind == ".env" || kind == ".json"))
      fs::copy_file(entry.path(), to / entry.path().filename(), fs::copy_options::overwrite_existing);
  }
}

/// What hangs on what at this moment: enough to draw it.
nlohmann::json to_json(const std::vector<Place>& places) {
  auto all = nlohmann::json::array();
  for (const auto& place : places) {
    nlohmann::json one{{"name", place.name}, {"kind", place.kind}};
    if (!place.on.empty()) one["on"] = place.on;
    for (const auto& address : place.addresses) one["addresses"].push_back(address.to_string());
    if (!place.faults.empty()) one["faults"] = place.faults;
    if (!place.ended.empty()) one["ended"] = place.ended;
    all.push_back(std::move(one));
  }
  return all;
}

void save_views(const NetNs& netns, const fs::path& place) {
  make_directories(place);
  for (const auto& view : views())
    write_file_atomically(place / view.file, output_of({.argv = view.argv, .netns = &netns}));
}

}  // namespace

void save_evidence(Emulation& emulation, const fs::path& directory) {
  make_directories(directory);
  write_file_atomically(directory / "topology.json", to_json(places_of(emulation)).dump(1) + "\n");
  save_views(emulation.underlay().netns(), directory / "underlay");
  for (const auto* node : emulation.nodes()) {
    auto name = node->name();
    std::replace(name.begin(), name.end(), '/', '.');
    const auto place = directory / name;
    save_views(node->netns(), place);
    if (node->name().find('/') == std::string::npos) save_logs(node->directory(), place);
  }
  if (const auto routers = fs::path(kStateDirectory) / "skupper"; fs::exists(routers)) {
    make_directories(directory / "skupper");
    save_logs(routers, directory / "skupper");
  }
}

}  // namespace knetsim
