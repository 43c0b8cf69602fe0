#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/lease.h"

namespace knetsim::flannel {

/// What the leases of other nodes must leave alone.
struct Surroundings {
  LeaseSubnets own;                ///< this node's subnets
  std::vector<Network> links;      ///< the networks that the external interface is in
  std::vector<Address> addresses;  ///< that must stay reachable as they are: this node's own and etcd's
};

/// Why a lease that anybody could have written isn't followed; nullopt if it is. flanneld follows any, and a route for
/// 10.0.0.0/8 into the tunnel takes the underlay down, and etcd with it, for good.
std::optional<std::string> why_not_followed(const Lease& lease, const Config& config, const Surroundings& surroundings);

/// The subnets of a lease that take room from others: without what no config of this network could have given away,
/// such as half of it. Whoever writes one lease for everything mustn't keep everybody else from having one.
LeaseSubnets taking_room(const LeaseSubnets& subnets, const Config& config);

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
