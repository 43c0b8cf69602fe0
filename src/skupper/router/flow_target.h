#pragma once

#include <memory>
#include <optional>
#include <string>

#include "router/view.h"
#include "wire/annotations.h"

namespace knetsim::skupper::router {

class RouterConnection;

/// Where a flow goes.
struct FlowTarget {
  std::shared_ptr<Service> service;              ///< here, or
  std::shared_ptr<RouterConnection> connection;  ///< at an edge or, for an edge, in the interior, or
  std::string router;                            ///< there
  std::shared_ptr<Load> load;
};

/// As skrouterd balances: the consumer of `address` with the fewest open flows, where each hop of cost counts like one;
/// then the one that has had fewest. `passed`: what a flow from another router tells of its way, so that none goes in
/// circles; nullptr for a client of ours.
std::optional<FlowTarget> choose_target(const View& view, const std::string& address,
                                        const wire::RouterAnnotations* passed);

}  // namespace knetsim::skupper::router
