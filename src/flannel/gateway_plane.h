#pragma once

#include <map>
#include <string>

#include "data_plane.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"

namespace knetsim::flannel {

/// flannel's host-gw backend (pkg/backend/hostgw): for each peer a route through its public address.
class GatewayPlane : public DataPlane {
 public:
  /// `interface` is the index of the underlay link. `socket` must outlive it.
  GatewayPlane(netlink::Socket& socket, int interface) : socket_(socket), interface_(interface) {}

  void configure(const Network&) override {}
  void set(std::span<const Peer> peers) override;
  void remove(const Network& subnet) override;
  void forget_strangers() override {}
  void heed(const std::vector<netlink::Event>& events) override;

 private:
  netlink::Route route_to(const Peer& peer) const;
  void install(const Peer& peer);
  void install_missing();

  netlink::Socket& socket_;
  int interface_;
  std::map<Address, Peer> peers_;  ///< by the base address of their subnet
};

}  // namespace knetsim::flannel
