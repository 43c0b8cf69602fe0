#include "inspection.h"

#include <nlohmann/json.hpp>

#include "lookup.h"

namespace knetsim::cli::shell {

using nlohmann::json;

namespace {

json node_of(const Node& node, const std::string& name) {
  auto addresses = json::array();
  for (const auto& address : node.addresses()) addresses.push_back(address.to_string());
  return {{"name", name}, {"addresses", std::move(addresses)}};
}

json cluster_of(Cluster& cluster) {
  auto etcd = json::array();
  for (const auto* node : cluster.etcd_nodes()) etcd.push_back(node_of(*node, node->name()));
  auto workers = json::array();
  for (auto* worker : cluster.workers()) {
    auto one = node_of(*worker, worker->name());
    one["containers"] = json::array();
    for (const auto* container : cluster.containers())
      if (&cluster.worker_of(container->short_name()) == worker)
        one["containers"].push_back(node_of(*container, container->name()));
    workers.push_back(std::move(one));
  }
  auto vips = json::array();
  for (const auto& service : cluster.vips().services()) {
    auto backends = json::array();
    for (const auto& endpoint : service.endpoints) backends.push_back(endpoint.address.to_string());
    vips.push_back({{"address", service.address.to_string()}, {"backends", std::move(backends)}});
  }
  return {
      {"name", cluster.name()}, {"etcd", std::move(etcd)}, {"workers", std::move(workers)}, {"vips", std::move(vips)}};
}

json program_of(const Running& program) {
  json one{{"node", program.node}, {"name", program.name}};
  if (program.process == nullptr) {
    one["state"] = "couldn't be restarted";
    return one;
  }
  const auto ended = program.process->status();
  one["state"] = ended ? ended->describe() : "runs";
  one["pid"] = program.process->pid();
  one["log"] = program.process->log().string();
  return one;
}

}  // namespace

json inspection(Session& session) {
  auto clusters = json::array();
  for (auto* cluster : session.emulation.clusters()) clusters.push_back(cluster_of(*cluster));
  auto programs = json::array();
  for (const auto& program : running_programs(session)) programs.push_back(program_of(program));
  auto cables = json::array();
  for (const auto& [name, cable] : session.emulation.underlay().cables())
    cables.push_back({{"from", name}, {"to", cable.to}, {"carries", cable.carries}});
  return {{"schema", "knetsim.inspect/1"},
          {"name", session.name},
          {"clusters", std::move(clusters)},
          {"cables", std::move(cables)},
          {"programs", std::move(programs)}};
}

}  // namespace knetsim::cli::shell
