#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "knetsim/emulator/node.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/netlink/mac.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// How a node or a switch is plugged in at this moment, as the kernel has it.
struct Cable {
  std::string to;        ///< the switch at its other end; empty: it hangs loose
  bool carries = false;  ///< both ends are up
};

/// The wires between nodes: bridges in a namespace of their own, with a port for each node. A crowded switch
/// grows leaf bridges behind it: one bridge takes 1,024 ports at most. Move-only, not thread-safe.
class Underlay {
 public:
  static constexpr const char* kInterface = "eth0";  ///< each node's link to the underlay

  /// Makes the switches and their uplinks.
  explicit Underlay(UnderlaySpec spec);

  /// A node plugged into `switch_name`, which switch_of() tells, its eth0 up with its addresses.
  Node plug(const NodeSpec& spec, const std::string& switch_name);

  /// Waits until these nodes' links, and all switch ports, carry packets, and their addresses are ready for use: the
  /// kernel lets a fresh link and a fresh IPv6 address be so a moment after they are up.
  void settle(const std::vector<const Node*>& nodes, std::chrono::milliseconds budget = kDefaultBudget);

  /// Takes the node's cable out (its switch port goes down), and puts it back; returns when packets pass again.
  void cut(const std::string& node);
  void heal(const std::string& node);

  /// Who is who: a node's addresses, and the MAC address that they all have.
  struct Acquaintance {
    std::vector<Address> addresses;
    netlink::Mac mac;
  };
  static std::vector<Acquaintance> acquaintances(const std::vector<const Node*>& nodes);
  /// Makes a node, through a socket of its own, know all these but itself for good, without places in the neighbour
  /// table that fills up. Call it once they have settled: entries of a link that isn't ready yet were seen to vanish,
  /// and a link that goes down takes them along.
  static void introduce(netlink::Socket& socket, const std::vector<Acquaintance>& to);
  static void introduce(const std::vector<const Node*>& nodes);

  /// Where the switches are: every frame of the underlay can be seen here.
  const NetNs& netns() const noexcept { return netns_; }
  const UnderlaySpec& spec() const noexcept { return spec_; }
  /// Of the bridges, leaves included.
  std::vector<std::string> bridges() const;
  /// Of every node and every switch that has one, by name. Whoever changes masters by hand is believed.
  std::map<std::string, Cable> cables() const;

 private:
  struct Switch {
    int bridge = 0;  ///< the one that has room
    int ports = 0;   ///< taken on that
    int leaves = 0;
  };

  int create_bridge(const std::string& name);
  int take_port(const std::string& switch_name);
  void connect(int lower, int upper);
  std::vector<Network> networks_of(const NodeSpec& spec) const;

  UnderlaySpec spec_;
  NetNs netns_;
  netlink::Socket socket_;
  std::map<std::string, Switch> switches_;
  int next_index_;  // of the links in here
};

}  // namespace knetsim
