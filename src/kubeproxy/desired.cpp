#include "knetsim/kubeproxy/desired.h"

#include <algorithm>
#include <utility>

namespace knetsim::kubeproxy {

Bytes bytes_of(const nft::Data& data) { return {data.bytes().begin(), data.bytes().end()}; }

std::strong_ordering order_of(const Entry& a, const Entry& b) {
  if (const auto by_slot = a.slot <=> b.slot; by_slot != 0) return by_slot;
  return std::lexicographical_compare_three_way(a.key.begin(), a.key.end(), b.key.begin(), b.key.end());
}

Desired sorted(Desired entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return order_of(a, b) < 0; });
  const auto end =
      std::unique(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return order_of(a, b) == 0; });
  entries.erase(end, entries.end());
  return entries;
}

void compare(std::span<const Entry> before, std::span<const Entry> now, const std::function<void(const Entry&)>& gone,
             const std::function<void(const Entry&)>& come,
             const std::function<void(const Entry& before, const Entry& now)>& both) {
  auto old = before.begin();
  auto next = now.begin();
  while (old != before.end() || next != now.end()) {
    const auto order = old == before.end() ? std::strong_ordering::greater
                       : next == now.end() ? std::strong_ordering::less
                                           : order_of(*old, *next);
    if (order < 0)
      gone(*old++);
    else if (order > 0)
      come(*next++);
    else
      both(*old++, *next++);
  }
}

nft::Element Slot::element(const Entry& entry) const {
  nft::Element element{.key = nft::Data::parse(set.key.types(), entry.key), .comment = entry.comment};
  if (has_chains())
    element.verdict = nft::Verdict{nft::Verdict::Kind::goto_, chain(entry)};
  else if (set.interval)
    element.key_end = nft::Data::parse(set.key.types(), entry.value);
  else if (set.value)
    element.value = nft::Data::parse(set.value->types(), entry.value);
  return element;
}

}  // namespace knetsim::kubeproxy
