#pragma once

#include <cstddef>
#include <vector>

#include "knetsim/flannel/config.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// The first `limit` subnets of the range that overlap none of `taken`, in order.
std::vector<Network> free_subnets(const SubnetRange& range, const std::vector<Network>& taken, std::size_t limit = 100);

/// Whether `subnet` is one of the range's: its length, on its boundary, between min and max.
bool fits(const SubnetRange& range, const Network& subnet);

/// How many subnets of the range come before `subnet`, which fits.
std::size_t ordinal(const SubnetRange& range, const Network& subnet);

}  // namespace knetsim::flannel
