#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend.h"
#include "knetsim/flannel/lease.h"

namespace knetsim::flannel {

/// The other nodes' leases, by the name of their key: what the backend was told last.
class RemoteLeases {
 public:
  explicit RemoteLeases(Backend& backend) : backend_(backend) {}

  /// A renewal that changes nothing is passed over.
  void put(const Lease& lease);
  void remove(const LeaseSubnets& subnets);
  /// Exactly these, from now on.
  void reset(const std::vector<Lease>& leases);
  std::size_t size() const noexcept { return leases_.size(); }

 private:
  void forget(std::map<std::string, Lease>::iterator position);

  Backend& backend_;
  std::map<std::string, Lease> leases_;
};

}  // namespace knetsim::flannel
