#pragma once

#include <functional>
#include <span>
#include <vector>

#include "knetsim/flannel/config.h"
#include "knetsim/netlink/mac.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::flannel {

/// Another node, as one address family sees it.
struct Peer {
  Network subnet;
  Address underlay;   ///< its public address
  netlink::Mac vtep;  ///< vxlan only
  bool operator==(const Peer&) const = default;
};

/// How packets of one address family get to the peers' subnets. Failures with a single peer are logged and leave the
/// others working.
class DataPlane {
 public:
  DataPlane() = default;
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;
  virtual ~DataPlane() = default;

  /// Gives this node its place; peers come afterwards.
  virtual void configure(const Network& own_subnet) = 0;
  /// Adds peers, or changes them. Two with the same subnet: the later one wins.
  virtual void set(std::span<const Peer> peers) = 0;
  /// Absent is no error.
  virtual void remove(const Network& subnet) = 0;
  /// Takes away what an earlier daemon left for peers that aren't there any more.
  virtual void forget_strangers() = 0;
  /// Puts right what others undid.
  virtual void heed(const std::vector<netlink::Event>& events) = 0;
};

/// Removes the routes to subnets of `range` through a gateway on the underlay's link `interface` that nobody wants any
/// more: what an earlier daemon left there for peers that went while none was running. Routes of routing protocols, and
/// those to other destinations, are somebody else's.
void forget_plain_routes(netlink::Socket& socket, int interface, const SubnetRange& range,
                         const std::function<bool(const netlink::Route&)>& wanted);

}  // namespace knetsim::flannel
