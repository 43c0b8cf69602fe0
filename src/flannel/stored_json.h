#pragma once

#include <cstddef>

#include "knetsim/sys/json.h"

namespace knetsim::flannel {

/// Of flannel's values in etcd, which takes any up to 1.5 MiB; they have a few hundred bytes. Read as Go's decoder
/// reads them.
inline constexpr JsonRules kStoredJson{.depth = 64,
                                       .size = 1UL << 20,
                                       .refuse_byte_order_mark = true,
                                       .string = 120,
                                       .null_is_absent = true,
                                       .keys_in_any_case = true};

}  // namespace knetsim::flannel
