#pragma once

#include <cstddef>

#include "knetsim/sys/json.h"

namespace knetsim::flannel {

/// Of flannel's values in etcd, which takes any up to 1.5 MiB; they have a few hundred bytes.
inline constexpr JsonRules kStoredJson{.depth = 64, .size = 1UL << 20};
/// Of what is shown of them, and of the texts in them that mean something.
inline constexpr std::size_t kLongestExcerpt = 120;

}  // namespace knetsim::flannel
