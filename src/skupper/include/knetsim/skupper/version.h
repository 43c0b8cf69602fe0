#pragma once

#include <string>

namespace knetsim::skupper {

/// "0.1.0": what the router calls itself, also to its peers.
std::string version();

}  // namespace knetsim::skupper
