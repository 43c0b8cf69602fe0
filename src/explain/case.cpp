#include "case.h"

#include "owners.h"

namespace knetsim::explain {

std::string mac_text(const std::array<std::uint8_t, 6>& bytes) { return to_string(netlink::Mac{bytes}); }

std::string node_of(const Case& lost, const Address& address) {
  const auto owner = lost.owners.find(address);
  return owner == lost.owners.end() ? address.to_string() : host_of(owner->second);
}

std::string flannel_object(const Case& lost, const std::string& of) {
  if (!lost.here().has_flannel) return {};
  for (const auto& ended : lost.here().ended)
    if (ended.starts_with("flanneld")) return fmt::format("flanneld of {}, which has ended ({})", lost.place(), ended);
  return fmt::format("the lease of {}, which flanneld of {} follows", of, lost.place());
}

std::string flannel_remedy(const Case& lost) {
  return lost.here().has_flannel ? fmt::format("restart {} flanneld", lost.place()) : "";
}

}  // namespace knetsim::explain
