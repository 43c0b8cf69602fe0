#pragma once

#include <memory>
#include <span>
#include <vector>

#include "complaints.h"
#include "data_plane.h"
#include "external_interface.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/lease.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/socket.h"

namespace knetsim::flannel {

/// What the config calls a backend: turns leases into peers of a data plane for each address family (none: alloc).
class Backend {
 public:
  /// Makes or takes over the links. Throws Error. `socket` must outlive it.
  Backend(netlink::Socket& socket, const Config& config, const ExternalInterface& interface);

  /// What this node's lease tells the others.
  const LeaseAttributes& attributes() const noexcept { return attributes_; }
  /// Of the pods' links.
  unsigned mtu() const noexcept { return mtu_; }

  void configure(const LeaseSubnets& own);
  /// Leases of other backends are ignored, with a log line.
  void set(std::span<const Lease> leases);
  void remove(const LeaseSubnets& subnets);
  void forget_strangers();
  void heed(const std::vector<netlink::Event>& events);

 private:
  void make_vxlan(const Config& config, const ExternalInterface& interface);
  void make_host_gw(const Config& config, const ExternalInterface& interface);
  bool is_usable(const Lease& lease);

  netlink::Socket& socket_;
  LeaseAttributes attributes_;
  unsigned mtu_ = 0;
  std::unique_ptr<DataPlane> v4_;
  std::unique_ptr<DataPlane> v6_;
  Complaints complaints_;
};

}  // namespace knetsim::flannel
