#include "remote_leases.h"

#include <span>

namespace knetsim::flannel {

void RemoteLeases::put(const Lease& lease) {
  const auto [position, added] = leases_.try_emplace(key_name(lease.subnets), lease);
  if (!added && position->second == lease) return;
  position->second = lease;
  backend_.set(std::span(&lease, 1));
}

void RemoteLeases::forget(std::map<std::string, Lease>::iterator position) {
  const auto gone = position->second.subnets;
  leases_.erase(position);
  backend_.remove(gone);
  // Two dual-stack leases can share one of their subnets for a moment, until the later of them yields.
  for (const auto& [name, other] : leases_) {
    if ((gone.v4 && other.subnets.v4 == gone.v4) || (gone.v6 && other.subnets.v6 == gone.v6))
      backend_.set(std::span(&other, 1));
  }
}

void RemoteLeases::remove(const LeaseSubnets& subnets) {
  if (const auto found = leases_.find(key_name(subnets)); found != leases_.end()) forget(found);
}

void RemoteLeases::reset(const std::vector<Lease>& leases) {
  std::map<std::string, Lease> wanted;
  for (const auto& lease : leases) wanted.insert_or_assign(key_name(lease.subnets), lease);
  for (auto position = leases_.begin(); position != leases_.end();) {
    const auto current = position++;
    if (!wanted.contains(current->first)) forget(current);
  }
  std::vector<Lease> changed;
  for (const auto& [name, lease] : wanted) {
    const auto known = leases_.find(name);
    if (known == leases_.end() || known->second != lease) changed.push_back(lease);
    leases_.insert_or_assign(name, lease);
  }
  if (!changed.empty()) backend_.set(changed);
}

}  // namespace knetsim::flannel
