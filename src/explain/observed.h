#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/lookup.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/nft/objects.h"
#include "knetsim/nft/trace.h"
#include "packet.h"

/// What witnesses say: values without a kernel behind them, from which journey.h and judge.h draw conclusions. A place
/// is a namespace, by its node's name; that of the switches is kWires.
namespace knetsim::explain {

inline constexpr const char* kWires = "underlay";

/// A frame on a link, from a packet socket.
struct Sighting {
  enum class Direction { in, out, other };  ///< other: it came, but to somebody else's MAC address
  std::string place;
  std::string link;
  Direction direction = Direction::in;
  std::chrono::nanoseconds time{};  ///< not to be trusted from place to place: the kernel may take the reader's
  Frame frame = {};
  bool port = false;      ///< the link is a port of a bridge: what leaves by it may be a flood
  std::string peer = {};  ///< the place at the link's other end; empty: none, or not known
};

/// A rule that a packet met, or the policy at the end.
struct Step {
  nft::TraceEvent::Kind kind = nft::TraceEvent::Kind::rule;
  nft::ChainId chain;
  std::uint64_t handle = 0;
  nft::Verdict verdict;
};

/// A packet's way through one base chain.
struct Passage {
  std::string place;
  nft::ChainId chain;
  nft::HookPoint hook = nft::HookPoint::prerouting;
  int priority = 0;
  bool ours = false;    ///< a chain of the explainer's own: it tells that the packet got there
  std::string in = {};  ///< link; empty: none
  std::string out = {};
  Packet packet;
  std::vector<Step> steps = {};

  /// The rule or policy that dropped it; nullptr if none did.
  const Step* dropped_by() const;
};

/// What the socket that sent the probe was told.
struct Outcome {
  enum class Kind { answered, refused, silent, not_sent };
  Kind kind = Kind::silent;
  int error = 0;                   ///< errno, of refused and not_sent
  std::optional<Address> by = {};  ///< who refused, where the kernel says so
};

/// One probe, and all that was seen of it.
struct Attempt {
  Protocol protocol = Protocol::icmp;
  std::uint64_t nonce = 0;
  std::string source = {};  ///< the place that sent it
  Ends sent;
  std::uint16_t length = 0;  ///< of the IP packet
  std::vector<std::uint16_t> vxlan_ports = {};
  Outcome outcome = {};
  std::vector<Sighting> sightings = {};  ///< in order of time
  std::vector<Passage> passages = {};    ///< of one place in order
};

struct Listener {
  Protocol protocol = Protocol::tcp;
  Address address;
  std::uint16_t port = 0;
  std::uint32_t waiting = 0;  ///< TCP: connections that nobody has accepted yet
};

/// What a namespace is like, looked at when a packet was lost.
struct PlaceFacts {
  std::vector<netlink::Link> links = {};
  std::vector<netlink::InterfaceAddress> addresses = {};
  std::vector<netlink::Neighbour> neighbours = {};
  std::vector<netlink::FdbEntry> fdb = {};
  std::vector<Listener> listeners = {};
  std::map<std::string, long> counted =
      {};  ///< by how much a counter rose meanwhile: "Ip.InNoRoutes", "eth0.rx_dropped"
  std::vector<netlink::Route> routes = {};  ///< of all tables
  std::vector<std::string> ended = {};      ///< daemons that don't run: "flanneld: killed by SIGKILL"
  bool has_flannel = false;                 ///< a daemon keeps routes, neighbours and FDB
  struct OfFamily {
    bool forwards = true;
    bool ignores_echo = false;
  };
  OfFamily v4 = {};
  OfFamily v6 = {};
  const OfFamily& of_family(const Address& address) const { return address.is_v6() ? v6 : v4; }
  std::map<std::string, int> rp_filter = {};  ///< by link, "all" included; of IPv4, the other has none
  std::string flow = {};  ///< what connection tracking had of the packet: "tcp 11.1.0.2:5555 -> 100.64.10.1:80, ..."
  std::optional<netlink::RouteAnswer> taken = {};   ///< for the packet as it came through here
  std::optional<netlink::RouteAnswer> onward = {};  ///< for the packet that was lost here
  std::optional<netlink::RouteAnswer> back = {};    ///< to its source
  std::optional<netlink::RouteAnswer> tunnel = {};  ///< to the VTEP that the FDB names
  /// What the rules that a packet met read like, by table ("ip nat") and handle.
  std::map<std::pair<std::string, std::uint64_t>, std::string> rules = {};
};

using AllFacts = std::map<std::string, PlaceFacts>;

/// Whose an address is: "C0w2/c2", "VIP 100.64.10.1 of C0".
using Owners = std::map<Address, std::string>;

/// The sysctls behind PlaceFacts::OfFamily.
inline std::string forwarding_sysctl(bool v6) { return v6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward"; }
inline std::string ignored_echo_sysctl(bool v6) {
  return v6 ? "net.ipv6.icmp.echo_ignore_all" : "net.ipv4.icmp_echo_ignore_all";
}
/// Whether a socket bound to one address hears of what is sent to the other. One that is bound to :: is taken to hear
/// of IPv4, too.
bool hears_of(const Address& bound, const Address& to);

const netlink::Link* link_named(const PlaceFacts& facts, const std::string& name);
const netlink::Link* link_of_index(const PlaceFacts& facts, int index);
bool has_address(const PlaceFacts& facts, const Address& address);

}  // namespace knetsim::explain
