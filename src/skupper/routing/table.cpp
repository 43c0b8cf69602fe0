#include "routing/table.h"

namespace knetsim::skupper::routing {

const Route* RoutingTable::route(const std::string& router) const {
  const auto found = routes.find(router);
  return found == routes.end() ? nullptr : &found->second;
}

const Consumers* RoutingTable::consumers(const std::string& key) const {
  const auto found = addresses.find(key);
  return found == addresses.end() ? nullptr : &found->second;
}

}  // namespace knetsim::skupper::routing
