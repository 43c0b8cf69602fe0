#pragma once

#include <string>

namespace knetsim::flannel {

/// "knetsim-flanneld 0.1.0"
std::string version();

}  // namespace knetsim::flannel
