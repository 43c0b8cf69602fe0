#include "picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <ostream>
#include <set>

#include "knetsim/emulator/evidence.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/process.h"
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

constexpr std::array<std::string_view, 4> kFormats{"svg", "png", "pdf", "dot"};

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

constexpr const char* kFaultColor = "#c0392b";

std::string look_of(const Place& place) {
  if (place.kind == "switch") return "shape=diamond";
  if (place.kind == "etcd") return "shape=cylinder fillcolor=\"#fdf3d8\"";
  if (place.kind == "worker") return "shape=box fillcolor=\"#dfeaf7\"";
  return "shape=box style=\"rounded,filled\" fillcolor=\"#e3f4e1\"";
}

/// Its name without its worker's, its addresses, and what is wrong with it, in red.
std::string box(const Place& place) {
  auto label = place.name.substr(place.name.find('/') + 1);
  for (const auto& address : place.addresses) label += "\\n" + address.to_string();
  for (const auto* faults : {&place.faults, &place.ended})
    for (const auto& fault : *faults) label += "\\n" + fault;
  return fmt::format(
      "  {} [label=\"{}\" {}{}];\n", quoted(place.name), label, look_of(place),
      place.faults.empty() && place.ended.empty() ? "" : fmt::format(" color=\"{0}\" fontcolor=\"{0}\"", kFaultColor));
}

std::string wire(const Place& place) {
  return place.on.empty() ? "" : fmt::format("  {} -- {};\n", quoted(place.on), quoted(place.name));
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

std::string to_dot(Session& session) {
  std::string text =
      "graph knetsim {\n  rankdir=LR;\n  node [fontname=\"sans-serif\" fontsize=10 style=filled fillcolor=white];\n";
  std::map<std::string, std::string> boxes;  // by cluster; switches have none
  std::map<std::string, std::string> cluster_of;
  for (auto* cluster : session.emulation.clusters()) {
    for (const auto* node : cluster->etcd_nodes()) cluster_of[node->name()] = cluster->name();
    for (const auto* worker : cluster->workers()) cluster_of[worker->name()] = cluster->name();
  }
  const auto places = places_of(session.emulation);
  for (const auto& place : places) {
    const auto node = place.name.substr(0, place.name.find('/'));
    if (place.kind == "switch")
      text += box(place);
    else
      boxes[cluster_of[node]] += box(place);
  }
  for (const auto& [cluster, content] : boxes)
    text +=
        fmt::format("  subgraph {} {{\n  label={};\n{}  }}\n", quoted("cluster_" + cluster), quoted(cluster), content);
  for (const auto& place : places) text += wire(place);
  return text + "}\n";
}

int write_graph(Session& session, const Word& file) {
  const std::filesystem::path path = file.text;
  const auto ending = path.extension().string();
  const auto format = ending.empty() ? std::string{} : ending.substr(1);
  if (std::find(kFormats.begin(), kFormats.end(), format) == kFormats.end())
    throw LineError(file.span, "the file's ending tells the format, and this one isn't known",
                    "one of .svg, .png, .pdf, .dot");
  auto content = to_dot(session);
  if (format != "dot") {
    auto drawn = exec({.argv = {"dot", "-T" + format}}, kExecTimeout, content);
    if (!drawn.ok()) throw Error("dot couldn't draw it (" + drawn.status.describe() + "): " + drawn.err);
    content = std::move(drawn.out);
  }
  write_user_file(path, content);
  session.terminal.out << "drawn in " << std::filesystem::absolute(path).string() << '\n';
  return kDone;
}

}  // namespace knetsim::cli::shell
