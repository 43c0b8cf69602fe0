#include "picture.h"

#include <fmt/format.h>

#include <filesystem>

#include "knetsim/cli/table.h"
#include "knetsim/cli/text.h"
#include "knetsim/flannel/subnet_env.h"

namespace knetsim::cli::shell {

namespace {

std::string addresses_of(const Node& node) {
  std::vector<std::string> all;
  for (const auto& address : node.addresses()) all.push_back(address.to_string());
  return join(all, " ");
}

std::string containers_of(Worker& worker) {
  std::vector<std::string> all;
  for (const auto* container : worker.containers())
    all.push_back(container->short_name() + " " + addresses_of(*container));
  return join(all, ", ");
}

struct Plugged {
  std::string switch_name;
  Row row;
};

std::vector<Plugged> plugged_nodes(Session& session) {
  std::vector<Plugged> all;
  const auto switch_of = [](const NodeSpec& spec, const ClusterSpec& cluster) {
    return spec.switch_name.empty() ? cluster.switch_name : spec.switch_name;
  };
  for (auto* cluster : session.emulation.clusters()) {
    const auto& spec = cluster->spec();
    const auto members = cluster->etcd_nodes();
    for (std::size_t i = 0; i < members.size(); ++i)
      all.push_back({switch_of(spec.etcd[i], spec), {members[i]->name(), addresses_of(*members[i]), "etcd"}});
    const auto workers = cluster->workers();
    for (std::size_t i = 0; i < workers.size(); ++i)
      all.push_back({switch_of(spec.workers[i], spec),
                     {workers[i]->name(), addresses_of(*workers[i]),
                      (workers[i]->has_flanneld() ? "flannel " : "pods ") + pod_subnet(*workers[i]),
                      containers_of(*workers[i])}});
  }
  return all;
}

/// Draws a switch's line and, indented, what hangs below it.
void draw(const std::vector<SwitchSpec>& switches, const std::vector<Plugged>& nodes, const std::string& name,
          const std::string& prefix, std::vector<Row>& rows) {
  std::vector<const SwitchSpec*> below;
  std::vector<const Plugged*> here;
  for (const auto& one : switches)
    if (one.uplink == name) below.push_back(&one);
  for (const auto& node : nodes)
    if (node.switch_name == name) here.push_back(&node);
  for (std::size_t i = 0; i < below.size() + here.size(); ++i) {
    const bool last = i + 1 == below.size() + here.size();
    const auto branch = prefix + (last ? "└─ " : "├─ ");
    if (i < here.size()) {
      auto row = here[i]->row;
      row.front().insert(0, branch);
      rows.push_back(std::move(row));
    } else {
      const auto& child = below[i - here.size()]->name;
      rows.push_back({branch + child});
      draw(switches, nodes, child, prefix + (last ? "   " : "│  "), rows);
    }
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
  for (const auto& service : cluster.services())
    if (service.address == vip)
      for (const auto& endpoint : service.endpoints) behind.push_back(name_of(cluster, endpoint.address));
  return behind;
}

std::string services_text(Session& session) {
  std::vector<Row> rows;
  for (auto* cluster : session.emulation.clusters())
    for (const auto& service : cluster->services())
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
  const auto& switches = session.emulation.topology().underlay.switches;
  const auto nodes = plugged_nodes(session);
  std::vector<Row> rows;
  for (const auto& one : switches)
    if (one.uplink.empty()) {
      rows.push_back({one.name});
      draw(switches, nodes, one.name, "", rows);
    }
  auto text = table(rows);
  if (const auto services = services_text(session); !services.empty()) text += "services\n" + indent(services, "  ");
  return text;
}

}  // namespace knetsim::cli::shell
