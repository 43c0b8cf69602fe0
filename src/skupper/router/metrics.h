#pragma once

#include <cstddef>
#include <string>

#include "router/flows.h"
#include "router/view.h"

namespace knetsim::skupper::router {

/// The state of a router in Prometheus's text format: skrouterd's names (qdr_...) where it has such a figure.
std::string metrics(const View& view, const Flows::Counters& counters, std::size_t connections);

}  // namespace knetsim::skupper::router
