#include "routing/table.h"

#include <set>
#include <utility>

namespace knetsim::skupper::routing {

std::map<std::string, Path> shortest_paths(const std::string& root, const Graph& graph) {
  std::map<std::string, Path> paths;
  std::set<std::pair<std::int64_t, std::string>> frontier{{0, root}};
  while (!frontier.empty()) {
    const auto [cost, router] = frontier.extract(frontier.begin()).value();
    const auto peers = graph.find(router);
    if (peers == graph.end()) continue;
    for (const auto& [peer, link_cost] : peers->second) {
      if (peer == root) continue;
      const auto candidate = cost + link_cost;
      const auto known = paths.find(peer);
      if (known != paths.end() && known->second.cost <= candidate) continue;
      if (known != paths.end()) frontier.erase({known->second.cost, peer});
      paths[peer] = {router == root ? peer : paths.at(router).next_hop, candidate};
      frontier.emplace(candidate, peer);
    }
  }
  return paths;
}

const Route* RoutingTable::route(const std::string& router) const {
  const auto found = routes.find(router);
  return found == routes.end() ? nullptr : &found->second;
}

const Consumers* RoutingTable::consumers(const std::string& key) const {
  const auto found = addresses.find(key);
  return found == addresses.end() ? nullptr : &found->second;
}

}  // namespace knetsim::skupper::routing
