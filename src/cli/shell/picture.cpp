#include "picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "knetsim/emulator/places.h"
#include "knetsim/flannel/subnet_env.h"
#include "table.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

std::string addresses_of(const Place& place) {
  std::vector<std::string> all;
  for (const auto& address : place.addresses) all.push_back(address.to_string());
  return join(all, " ");
}

/// "! eth0 is down, flanneld: killed by SIGKILL", or nothing
std::string faults_of(const Place& place) {
  auto all = place.faults;
  all.insert(all.end(), place.ended.begin(), place.ended.end());
  return all.empty() ? "" : "! " + join(all, ", ");
}

/// What draws the tree: places by what they hang on, in their order.
using Hanging = std::map<std::string, std::vector<const Place*>>;

std::string containers_on(const std::string& worker, const Hanging& hanging) {
  const auto found = hanging.find(worker);
  if (found == hanging.end()) return {};
  std::vector<std::string> all;
  for (const auto* container : found->second) {
    auto text = container->name.substr(worker.size() + 1) + " " + addresses_of(*container);
    if (const auto faults = faults_of(*container); !faults.empty()) text += " (" + faults + ")";
    all.push_back(std::move(text));
  }
  return join(all, ", ");
}

Row row_of(Session& session, const Place& place, const Hanging& hanging) {
  Row row{place.name, addresses_of(place)};
  if (place.kind == "switch") {
    row.pop_back();
  } else if (place.kind == "etcd") {
    row.emplace_back("etcd");
  } else {
    const auto& worker = session.emulation.worker(place.name);
    row.push_back((worker.has_flanneld() ? "flannel " : "pods ") + pod_subnet(worker));
    row.push_back(containers_on(place.name, hanging));
  }
  if (auto faults = faults_of(place); !faults.empty()) row.push_back(std::move(faults));
  return row;
}

/// Draws the lines of what hangs on a switch, indented. Switches that were plugged into each other in a circle are
/// drawn once.
void draw(Session& session, const Hanging& hanging, const std::string& name, const std::string& prefix,
          std::set<std::string>& drawn, std::vector<Row>& rows) {
  if (!drawn.insert(name).second || !hanging.contains(name)) return;
  auto here = hanging.at(name);
  std::stable_partition(here.begin(), here.end(), [](const Place* place) { return place->kind != "switch"; });
  for (const auto* place : here) {
    const bool last = place == here.back();
    auto row = row_of(session, *place, hanging);
    row.front().insert(0, prefix + (last ? "└─ " : "├─ "));
    rows.push_back(std::move(row));
    if (place->kind == "switch") draw(session, hanging, place->name, prefix + (last ? "   " : "│  "), drawn, rows);
  }
}

std::string name_of(Cluster& cluster, const Address& address) {
  for (const auto* container : cluster.containers())
    for (const auto& one : container->addresses())
      if (one == address) return container->short_name();
  return address.to_string() + " (gone)";
}

}  // namespace

std::string pod_subnet(const Worker& worker) {
  if (!std::filesystem::exists(worker.subnet_file())) return {};
  const auto env = flannel::read_subnet_env(worker.subnet_file());
  std::vector<std::string> subnets;
  for (const auto& subnet : {env.subnet, env.ipv6_subnet})
    if (subnet) subnets.push_back(to_string(canonical(*subnet)));
  return join(subnets, " ");
}

std::vector<std::string> containers_behind(Cluster& cluster, const Address& vip) {
  std::vector<std::string> behind;
  for (const auto& service : cluster.vips().services())
    if (service.address == vip)
      for (const auto& endpoint : service.endpoints) behind.push_back(name_of(cluster, endpoint.address));
  return behind;
}

std::string services_text(Session& session) {
  std::vector<Row> rows;
  for (auto* cluster : session.emulation.clusters())
    for (const auto& service : cluster->vips().services())
      rows.push_back({cluster->name(),
                      service.address.to_string() + " -> " + join(containers_behind(*cluster, service.address), ", ")});
  for (auto* cluster : session.emulation.clusters())
    if (const auto* spec = session.emulation.service_network().spec(*cluster))
      for (const auto& service : spec->services)
        rows.push_back(
            {cluster->name(), fmt::format("{} -> {} port {}, offered to other clusters on port {}", service.name,
                                          service.container, service.port, service.listen_port)});
  return table(rows);
}

std::string picture(Session& session) {
  const auto places = places_of(session.emulation);
  Hanging hanging;
  for (const auto& place : places) hanging[place.on].push_back(&place);
  std::vector<Row> rows;
  std::set<std::string> drawn;
  // What hangs on nothing stands for itself: switches without an uplink, and what has come loose.
  for (const auto& place : places) {
    if (place.on.empty()) rows.push_back(row_of(session, place, hanging));
    if (place.on.empty() && place.kind == "switch") draw(session, hanging, place.name, "", drawn, rows);
  }
  for (const auto& place : places)
    if (place.kind == "switch" && !drawn.contains(place.name)) {
      rows.push_back(row_of(session, place, hanging));
      draw(session, hanging, place.name, "", drawn, rows);
    }
  auto text = table(rows);
  if (const auto services = services_text(session); !services.empty()) text += "services\n" + indent(services, "  ");
  return text;
}

}  // namespace knetsim::cli::shell
