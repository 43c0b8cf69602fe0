#include "knetsim/emulator/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

using netlink::Link;

const Link* link_of_index(const std::vector<Link>& links, int index) {
  const auto found =
      std::find_if(links.begin(), links.end(), [index](const Link& link) { return link.index == index; });
  return found == links.end() ? nullptr : &*found;
}

/// The node's eth0, its addresses and whether it is up.
std::optional<Link> look_at_interface(const Node& node, Place& place) {
  auto socket = node.netlink();
  auto link = netlink::find_link(socket, Underlay::kInterface);
  if (!link) {
    place.faults.emplace_back("has no eth0");
    return link;
  }
  for (const auto& one : netlink::list_addresses(socket, link->index)) {
    const auto address = address_of(one.address);
    if (!(address.is_v6() && address.to_v6().is_link_local())) place.addresses.push_back(address);
  }
  // The main ones first, in the order in which they were given.
  const auto rank = [&](const Address& address) {
    const auto& given = node.addresses();
    return std::find(given.begin(), given.end(), address) - given.begin();
  };
  std::stable_sort(place.addresses.begin(), place.addresses.end(),
                   [&](const Address& a, const Address& b) { return rank(a) < rank(b); });
  for (const auto& address : node.addresses())
    if (std::find(place.addresses.begin(), place.addresses.end(), address) == place.addresses.end())
      place.faults.push_back(address.to_string() + " isn't on its eth0");
  if (!link->up) place.faults.emplace_back("eth0 is down");
  return link;
}

Place node_place(const Node& node, const char* kind, const std::map<std::string, Cable>& cables) {
  Place place{.name = node.name(), .kind = kind, .on = {}};
  const auto link = look_at_interface(node, place);
  const auto cable = cables.find(node.name());
  if (cable == cables.end() || cable->second.to.empty()) {
    place.faults.emplace_back("plugged in nowhere");
    return place;
  }
  place.on = cable->second.to;
  if (link && link->up && !cable->second.carries) place.faults.emplace_back("its cable is out");
  return place;
}

/// "flanneld: killed by SIGKILL", unless it runs.
std::optional<std::string> end_of(const std::string& name, Process& process) {
  const auto status = process.status();
  return status ? std::optional(name + ": " + status->describe()) : std::nullopt;
}

std::optional<std::string> end_of(const std::string& name, Daemon& daemon) try {
  return end_of(name, daemon.process());
} catch (const Error&) {
  return name + ": couldn't be restarted";
}

/// "python3" of "C0w3/c4 /usr/bin/python3"
std::string base_name_of(const Daemon& daemon) {
  return std::filesystem::path(daemon.name().substr(daemon.name().find(' ') + 1)).filename();
}

/// nullptr if the cluster has none, or none yet.
Daemon* router_of(Emulation& emulation, const Cluster& cluster) try {
  return &emulation.service_network().router(cluster);
} catch (const InputError&) {
  return nullptr;
}

Place container_place(const Container& container, const std::string& worker, const std::vector<Link>& workers_links) {
  Place place{.name = container.name(), .kind = "container", .on = worker};
  const auto link = look_at_interface(container, place);
  if (!link || link->kind != "veth") return place;
  const auto* end = link_of_index(workers_links, link->parent);
  if (end == nullptr)
    place.faults.push_back("its link doesn't end on " + worker);
  else if (link->up && !end->up)
    place.faults.push_back(fmt::format("{} on {} is down", end->name, worker));
  const auto& interfaces = container.network().interfaces;
  const auto* bridge = end == nullptr ? nullptr : link_of_index(workers_links, end->master);
  const bool on_a_bridge = std::any_of(interfaces.begin(), interfaces.end(), [&](const cni::Interface& one) {
    return one.sandbox.empty() && end != nullptr && one.name != end->name;
  });
  if (on_a_bridge && bridge == nullptr) place.faults.push_back(fmt::format("{} is in no bridge", end->name));
  return place;
}

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

std::vector<Place> places_of(Emulation& emulation) {
  std::vector<Place> places;
  const auto cables = emulation.underlay().cables();
  const auto bridges = emulation.underlay().bridges();
  for (const auto& one : emulation.topology().underlay.switches) {
    if (std::find(bridges.begin(), bridges.end(), one.name) == bridges.end()) continue;
    Place place{.name = one.name, .kind = "switch", .on = {}};
    if (const auto cable = cables.find(one.name); cable != cables.end()) {
      place.on = cable->second.to;
      if (!cable->second.carries) place.faults.emplace_back("its uplink is down");
    } else if (!one.uplink.empty()) {
      place.faults.emplace_back("its uplink is gone");
    }
    places.push_back(std::move(place));
  }
  std::vector<Place> containers;
  for (auto* cluster : emulation.clusters()) {
    const auto members = cluster->etcd_nodes();
    for (std::size_t i = 0; i < members.size(); ++i) {
      auto place = node_place(*members[i], "etcd", cables);
      if (cluster->has_etcd())
        if (auto end = end_of("etcd", cluster->etcd().members().at(i).process()))
          place.ended.push_back(std::move(*end));
      places.push_back(std::move(place));
    }
    for (auto* worker : cluster->workers()) {
      auto place = node_place(*worker, "worker", cables);
      if (worker->has_flanneld())
        if (auto end = end_of("flanneld", worker->flanneld())) place.ended.push_back(std::move(*end));
      if (auto* proxy = cluster->kube_proxy(*worker))
        if (auto end = end_of("kube-proxy", *proxy)) place.ended.push_back(std::move(*end));
      if (worker == cluster->workers().front())
        if (auto* router = router_of(emulation, *cluster))
          if (auto end = end_of("skrouterd", *router)) place.ended.push_back(std::move(*end));
      places.push_back(std::move(place));
      auto socket = worker->netlink();
      const auto links = netlink::list_links(socket);
      for (auto* container : worker->containers()) {
        auto one = container_place(*container, worker->name(), links);
        if (container->has_program())
          if (auto end = end_of(base_name_of(container->program()), container->program()))
            one.ended.push_back(std::move(*end));
        containers.push_back(std::move(one));
      }
    }
  }
  places.insert(places.end(), containers.begin(), containers.end());
  return places;
}

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
