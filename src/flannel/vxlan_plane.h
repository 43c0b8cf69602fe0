#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "complaints.h"
#include "data_plane.h"
#include "knetsim/flannel/config.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"

namespace knetsim::flannel {

struct VxlanPlaneSpec {
  netlink::VxlanSpec link;      ///< without a MAC: random, or that of the link that is there
  SubnetRange range;            ///< where the peers' subnets come from
  bool direct_routing = false;  ///< a plain route to peers that are one hop away
};

/// flannel's vxlan backend (pkg/backend/vxlan): one link, and for each peer a permanent neighbour, an FDB entry and an
/// onlink route.
class VxlanPlane : public DataPlane {
 public:
  /// Makes the link, or takes over a compatible one that is there. `socket` must outlive it.
  VxlanPlane(netlink::Socket& socket, VxlanPlaneSpec spec);

  const netlink::Mac& mac() const noexcept { return mac_; }
  int index() const noexcept { return index_; }

  void configure(const Network& own_subnet) override;
  void set(std::span<const Peer> peers) override;
  void remove(const Network& subnet) override;
  void forget_strangers() override;
  void heed(const std::vector<netlink::Event>& events) override;

 private:
  struct Installed {
    Peer peer;
    bool direct = false;
  };

  void adopt_or_create();
  void ensure_address();
  /// nullopt if nobody can say: the underlay has no route there now.
  std::optional<bool> one_hop_away(const Address& address);
  netlink::Route route_to(const Installed& entry) const;
  const Installed* peer_of(const Network& subnet) const;
  /// Whether something of ours is gone, or isn't what we made of it.
  bool concerns_us(const netlink::Event& event);
  void choose_ways();
  void install(const Installed& entry);
  void install_all(std::span<const Installed> entries);
  void uninstall_vtep(const Installed& entry);
  void uninstall(const Installed& entry);
  std::vector<Installed> incomplete();
  void install_missing();
  void attempt(const std::string& peer, const std::string& what, const std::function<void()>& step);
  void repair();

  netlink::Socket& socket_;
  VxlanPlaneSpec spec_;
  netlink::Mac mac_;
  int index_ = 0;
  std::optional<Network> own_;
  std::map<Address, Installed> peers_;          ///< by the base address of their subnet
  std::map<netlink::Mac, Address> forwarding_;  ///< the FDB: of peers that claim the same MAC, the last one
  bool adopted_ = false;                        ///< the link was there before us
  bool link_touched_ = false;                   ///< since the last repair: gone, or with another MAC
  bool underlay_touched_ = false;               ///< likewise, the link below or its addresses
  bool down_ = false;
  Complaints complaints_;
};

}  // namespace knetsim::flannel
