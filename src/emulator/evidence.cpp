#include "knetsim/emulator/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

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

nlohmann::json place(const std::string& name, const char* kind, const std::string& on,
                     const std::vector<Address>& addresses = {}) {
  nlohmann::json json{{"name", name}, {"kind", kind}};
  if (!on.empty()) json["on"] = on;
  for (const auto& address : addresses) json["addresses"].push_back(address.to_string());
  return json;
}

/// What hangs on what: enough to draw the emulation as it stands, containers made since the boot included.
nlohmann::json places_of(Emulation& emulation) {
  const auto& topology = emulation.topology();
  auto places = nlohmann::json::array();
  for (const auto& one : topology.underlay.switches) places.push_back(place(one.name, "switch", one.uplink));
  for (const auto& cluster : topology.clusters) {
    const auto add = [&](const NodeSpec& node, const char* kind) {
      const auto& on = node.switch_name.empty() ? cluster.switch_name : node.switch_name;
      places.push_back(place(node.name, kind, on, node.addresses));
    };
    for (const auto& node : cluster.etcd) add(node, "etcd");
    for (const auto& node : cluster.workers) add(node, "worker");
  }
  for (const auto* node : emulation.nodes())
    if (const auto slash = node->name().find('/'); slash != std::string::npos)
      places.push_back(place(node->name(), "container", node->name().substr(0, slash), {node->address()}));
  return places;
}

void save_views(const NetNs& netns, const fs::path& place) {
  fs::create_directories(place);
  for (const auto& view : views())
    write_file_atomically(place / view.file, output_of({.argv = view.argv, .netns = &netns}));
}

}  // namespace

void save_evidence(Emulation& emulation, const fs::path& directory) {
  fs::create_directories(directory);
  write_file_atomically(directory / "topology.json", places_of(emulation).dump(1) + "\n");
  save_views(emulation.underlay().netns(), directory / "underlay");
  for (const auto* node : emulation.nodes()) {
    auto name = node->name();
    std::replace(name.begin(), name.end(), '/', '.');
    const auto place = directory / name;
    save_views(node->netns(), place);
    if (node->name().find('/') == std::string::npos) save_logs(node->directory(), place);
  }
  if (const auto routers = fs::path(kStateDirectory) / "skupper"; fs::exists(routers)) {
    fs::create_directories(directory / "skupper");
    save_logs(routers, directory / "skupper");
  }
}

}  // namespace knetsim
