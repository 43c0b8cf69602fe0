#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/mac.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

/// What a VXLAN link (RFC 7348) was made with, as the kernel tells it.
struct VxlanInfo {
  std::uint32_t vni = 0;
  int parent = 0;                     ///< index of the link below, 0: none
  std::optional<Address> local = {};  ///< outer source address
  std::optional<Address> group = {};  ///< multicast group or default remote
  std::uint16_t port = 0;             ///< UDP destination port
  bool learning = false;
  bool l2miss = false;
  bool l3miss = false;
  bool gbp = false;

  bool operator==(const VxlanInfo&) const = default;
};

struct Link {
  int index = 0;
  std::string name = {};
  std::string kind = {};  ///< "veth", "bridge", "vxlan"; empty for physical links and lo
  Mac mac;
  unsigned mtu = 0;
  unsigned flags = 0;    ///< IFF_*, netdevice(7)
  bool up = false;       ///< IFF_UP: somebody wants it up
  bool running = false;  ///< IFF_RUNNING: it carries packets
  unsigned txqlen = 0;
  int master = 0;                        ///< index of the bridge it is a port of, 0: none
  int parent = 0;                        ///< IFLA_LINK: a veth's peer, a vxlan's underlay link; an index there
  std::optional<int> parent_netns = {};  ///< set if `parent` counts in another namespace (that one's id here)
  bool hairpin = false;                  ///< as a bridge port: sends out where it received
  std::optional<VxlanInfo> vxlan = {};
};

/// "7: flannel.100 vxlan up running mtu 1450 mac 0a:...", for messages.
std::string to_string(const Link& link);

std::vector<Link> list_links(Socket& socket);
std::optional<Link> find_link(Socket& socket, const std::string& name);
std::optional<Link> find_link(Socket& socket, int index);
/// Throws Error (ENODEV) if there is none.
Link get_link(Socket& socket, const std::string& name);
Link get_link(Socket& socket, int index);

// New links: in link_create.cpp.

/// One end of a veth(4) pair.
struct VethEnd {
  const NetNs& ns;
  std::string name = {};
  std::optional<unsigned> mtu = {};
  std::optional<Mac> mac = {};
  bool up = false;
  /// False: it gives itself no fe80:: address (addr_gen_mode none), which costs a request. Among the ports of a large
  /// switch that spares every port the floods of all others' address detection, which cost the square of their number.
  bool link_local = true;
  int master = 0;            ///< index in `ns` of a bridge to become a port of
  int index = 0;             ///< 0: the kernel chooses. Chosen for both ends or for none
  Socket* socket = nullptr;  ///< one in `ns`, which saves opening another; null: that is done where it is needed
};

/// Creates both ends straight in their namespaces. One request does all of the above for one end, and all but `up` and
/// `master` for the other, which gets a second one in its namespace if it wants them (and each gets one if it wants no
/// link-local address). If that is refused, the pair is deleted.
void create_veth(const VethEnd& a, const VethEnd& b);
/// The same through a socket in any namespace, which saves opening one and can be part of a Batch: then further
/// requests commit that first, and go into the Batch of VethEnd::socket if that has one.
void create_veth(Socket& socket, const VethEnd& a, const VethEnd& b);

struct BridgeSpec {
  std::string name = {};
  std::optional<Mac> mac = {};
  std::optional<unsigned> mtu = {};
  bool up = false;
  bool multicast_snooping = true;
  int index = 0;  ///< 0: the kernel chooses
};

struct VxlanSpec {
  std::string name = {};
  std::uint32_t vni = 0;
  int parent = 0;  ///< index of the underlay link, 0: none
  std::optional<Address> local = {};
  std::optional<Address> group = {};
  std::uint16_t port = 8472;
  bool learning = false;
  bool gbp = false;
  std::optional<Mac> mac = {};
  std::optional<unsigned> mtu = {};
  std::optional<unsigned> txqlen = 0;
  bool up = false;
  int index = 0;  ///< 0: the kernel chooses
};

/// Both return the new link's index (in a Batch: the spec's).
int create_bridge(Socket& socket, const BridgeSpec& spec);
int create_vxlan(Socket& socket, const VxlanSpec& spec);

void set_up(Socket& socket, int index);
void set_down(Socket& socket, int index);
/// Makes it a port of bridge `master`; 0 takes it out of its bridge.
void set_master(Socket& socket, int index, int master);
void set_mtu(Socket& socket, int index, unsigned mtu);
void set_mac(Socket& socket, int index, const Mac& mac);
void set_txqlen(Socket& socket, int index, unsigned length);
void rename(Socket& socket, int index, const std::string& name);
/// Only for a bridge port: lets it send out frames that it received.
void set_hairpin(Socket& socket, int index, bool on);
void move_to(Socket& socket, int index, const NetNs& target);
/// Absent is no error. A veth takes its peer with it.
void delete_link(Socket& socket, int index);
void delete_link(Socket& socket, const std::string& name);

}  // namespace knetsim::netlink
