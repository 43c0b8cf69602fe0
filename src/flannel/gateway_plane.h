#pragma once

#include <map>
#include <utility>

#include "complaints.h"
#include "data_plane.h"
#include "knetsim/flannel/config.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"

namespace knetsim::flannel {

/// flannel's host-gw backend (pkg/backend/hostgw): for each peer a route through its public address.
class GatewayPlane : public DataPlane {
 public:
  /// `interface` is the index of the underlay link; `range` is where the peers' subnets come from. `socket` must
  /// outlive it.
  GatewayPlane(netlink::Socket& socket, int interface, SubnetRange range)
      : socket_(socket), interface_(interface), range_(std::move(range)) {}

  void configure(const Network&) override {}
  void set(std::span<const Peer> peers) override;
  void remove(const Network& subnet) override;
  void forget_strangers() override;
  void heed(const std::vector<netlink::Event>& events) override;

 private:
  netlink::Route route_to(const Peer& peer) const;
  /// Whether it leads to a peer as it shall.
  bool is_wanted(const netlink::Route& route) const;
  void install(const Peer& peer);
  void install_missing();

  netlink::Socket& socket_;
  int interface_;
  SubnetRange range_;
  std::map<Address, Peer> peers_;  ///< by the base address of their subnet
  Complaints complaints_;
};

}  // namespace knetsim::flannel
