#pragma once

#include <cstdint>

namespace knetsim::bench {

/// Fills an API server with so many services of three endpoints, asks it once for both lists, and starts
/// knetsim-kube-proxy: milliseconds from there until it says that the kernel has acknowledged all. Throws Error if a
/// service isn't answered then.
double measure_process(std::uint32_t services);

}  // namespace knetsim::bench
