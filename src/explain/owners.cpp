#include "owners.h"

#include <algorithm>

namespace knetsim::explain {

std::string host_of(const std::string& name) { return name.substr(0, name.find('/')); }

Cluster* home_of(Emulation& emulation, const std::string& name) {
  const auto host = host_of(name);
  const auto is_host = [&](const Node* one) { return one->name() == host; };
  for (auto* cluster : emulation.clusters()) {
    const auto workers = cluster->workers();
    const auto members = cluster->etcd_nodes();
    if (std::any_of(workers.begin(), workers.end(), is_host) || std::any_of(members.begin(), members.end(), is_host))
      return cluster;
  }
  return nullptr;
}

Owners owners_for(Emulation& emulation, const std::string& from) {
  Owners owners;
  const auto add = [&](Cluster& cluster) {
    for (const auto* worker : cluster.workers())
      for (const auto& address : worker->addresses()) owners.try_emplace(address, worker->name());
    for (const auto* member : cluster.etcd_nodes())
      for (const auto& address : member->addresses()) owners.try_emplace(address, member->name());
    for (const auto* container : cluster.containers())
      for (const auto& address : container->addresses()) owners.try_emplace(address, container->name());
  };
  if (auto* home = home_of(emulation, from)) add(*home);
  for (auto* cluster : emulation.clusters()) add(*cluster);
  return owners;
}

}  // namespace knetsim::explain
