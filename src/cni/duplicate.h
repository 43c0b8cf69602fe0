#pragma once

#include <string>

#include "knetsim/sys/netns.h"

namespace knetsim::cni {

/// A second handle of the same namespace, so that its owner may be moved.
inline NetNs duplicate(const NetNs& ns) { return NetNs::open("/proc/thread-self/fd/" + std::to_string(ns.fd().get())); }

}  // namespace knetsim::cni
