#include "knetsim/flannel/allocation.h"

#include <algorithm>
#include <utility>

#include "uint128.h"

namespace knetsim::flannel {

namespace {

using Interval = std::pair<Uint128, Uint128>;

Interval interval_of(const Network& network) {
  const auto first = to_number(address_of(canonical(network)));
  return {first, first + (size_of(prefix_length(network), is_v6(network)) - 1)};
}

}  // namespace

std::vector<Network> free_subnets(const SubnetRange& range, const std::vector<Network>& taken, std::size_t limit) {
  const bool v6 = is_v6(range.network);
  std::vector<Interval> busy;
  for (const auto& network : taken) {
    if (is_v6(network) == v6 && prefix_length(network) > 0) busy.push_back(interval_of(network));
  }
  std::sort(busy.begin(), busy.end());

  std::vector<Network> free;
  const auto step = size_of(range.subnet_length, v6);
  const auto last = to_number(range.max);
  auto next = busy.begin();
  for (auto base = to_number(range.min); base <= last && free.size() < limit;) {
    while (next != busy.end() && next->second < base) ++next;
    if (next == busy.end() || next->first > base + (step - 1)) {
      free.push_back(make_network(to_address(base, v6), range.subnet_length));
    }
    if (last - base < step) break;
    base += step;
  }
  return free;
}

bool fits(const SubnetRange& range, const Network& subnet) {
  if (is_v6(subnet) != is_v6(range.network) || prefix_length(subnet) != range.subnet_length) return false;
  const auto base = address_of(subnet);
  return canonical(subnet) == subnet && range.min <= base && base <= range.max;
}

std::size_t ordinal(const SubnetRange& range, const Network& subnet) {
  const auto distance = to_number(address_of(subnet)) - to_number(range.min);
  return static_cast<std::size_t>(distance / size_of(range.subnet_length, is_v6(range.network)));
}

}  // namespace knetsim::flannel
