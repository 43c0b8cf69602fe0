#pragma once

#include <chrono>

#include "knetsim/kube/time.h"

namespace knetsim::apiserver {

/// The moment that goes into objects.
inline kube::Time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

}  // namespace knetsim::apiserver
