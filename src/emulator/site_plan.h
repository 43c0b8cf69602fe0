#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/skupper/site.h"

namespace knetsim {

/// What a cluster's router is to do; a cluster without one has no spec.
struct SitePlan {
  std::string cluster;
  bool has_worker = true;
  std::set<std::string> containers;
  std::optional<SkupperSpec> skupper;
};

/// All clusters, in the topology's order.
std::vector<SitePlan> site_plans(const Topology& topology);

/// Checks links and services: what they name is there, nothing stands twice or clashes. Throws InputError, with a JSON
/// pointer into the topology, which may be a file's; without a topology, as for what was typed, with the cluster's
/// name.
void validate_sites(const std::vector<SitePlan>& plans, const JsonSource* source = nullptr);

/// Where services and routers are found.
struct SiteAddresses {
  std::function<Address(std::size_t cluster)> router;
  std::function<Address(std::size_t cluster, const std::string& container)> container;
  std::function<std::vector<Address>(std::size_t cluster)>
      node;  ///< all of the router's node: services are offered there
};

/// The routers' ids are the clusters' numbers, as in the original.
skupper::Site site_of(const std::vector<SitePlan>& plans, std::size_t cluster, const SiteAddresses& addresses);

/// Ports that the cluster's router offers services of others on, once all routers run and know each other.
std::set<std::uint16_t> offered_ports(const std::vector<SitePlan>& plans, std::size_t cluster);

/// Whether no other way from one router to the other costs as little as their link.
bool is_shortest_way(const std::vector<SitePlan>& plans, std::size_t from, std::size_t to);

/// Clusters with a router, each after those that it connects to.
std::vector<std::size_t> start_order(const std::vector<SitePlan>& plans);

}  // namespace knetsim
