#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

// Connection tracking (ctnetlink, linux/netfilter/nfnetlink_conntrack.h). An entry remembers how a flow is translated
// for as long as packets of it come, whatever the rules say meanwhile: who changes rules of a NAT chain removes the
// entries that the new rules wouldn't have made. kube-proxy does the same (pkg/proxy/conntrack/cleanup.go).

/// A flow as seen in one direction.
struct FlowTuple {
  Address source;
  Address destination;
  std::uint8_t protocol = 0;  ///< IPPROTO_*
  /// Of TCP, UDP, UDP-Lite, SCTP, DCCP; else 0.
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  /// Of ICMP and ICMPv6.
  std::uint16_t echo_id = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;

  bool operator==(const FlowTuple&) const = default;
};

/// An entry of the table. A flow that is translated to another destination has that one as its reply's source.
struct Flow {
  FlowTuple original;        ///< as its first packet was sent
  FlowTuple reply;           ///< as an answer looks where it enters
  std::uint32_t status = 0;  ///< IPS_*, linux/netfilter/nf_conntrack_common.h
  std::uint32_t mark = 0;
  std::uint16_t zone = 0;
  std::uint32_t id = 0;  ///< tells entries that are there at the same time apart

  bool answered() const;  ///< packets have gone both ways
};

/// "udp 11.1.0.2:5555 -> 100.64.10.1:53, answered by 11.2.0.3:53"
std::string to_string(const Flow& flow);

/// What is unset matches anything. Addresses of different families match nothing.
struct FlowFilter {
  std::optional<std::uint8_t> protocol = {};
  std::optional<Address> original_source = {};
  std::optional<Address> original_destination = {};
  std::optional<std::uint16_t> original_destination_port = {};
  std::optional<Address> reply_source = {};
  std::optional<std::uint16_t> reply_source_port = {};
  std::optional<std::uint32_t> mark = {};
  std::uint32_t mark_mask = 0xffffffff;  ///< the bits of `mark` that count
  std::optional<std::uint16_t> zone = {};
};

bool matches(const FlowFilter& filter, const Flow& flow);

using FlowPredicate = std::function<bool(const Flow&)>;

/// The table of one namespace, both families. Move-only, not thread-safe.
class Conntrack {
 public:
  /// `where` (a node's name) begins the text of every error. The kernel loads nf_conntrack_netlink if it has to; where
  /// there is none, each call below throws Error.
  explicit Conntrack(const NetNs& ns, std::string where = {});

  /// How many entries there are; costs the same for any number.
  std::size_t count();
  /// Those that match. The kernel (since 5.8) sorts out by protocol, IPv4 addresses and ports before it tells. What
  /// comes and goes meanwhile may be missed.
  std::vector<Flow> list(const FlowFilter& filter = {});
  /// The one whose first packet was sent like this, in zone 0. Costs the same however many there are, while whoever
  /// lists has the kernel walk the table of all namespaces.
  std::optional<Flow> find(const FlowTuple& original);
  /// One that is gone meanwhile is no error.
  void forget(const Flow& flow);
  /// Removes those that match and of which `predicate` (empty: nothing more) holds; how many there were. One that is
  /// gone meanwhile is no error. Holds a bounded number of entries at a time, however many there are.
  std::size_t remove(const FlowFilter& filter, const FlowPredicate& predicate = {});

 private:
  void read(const FlowFilter& filter, const std::function<void()>& restart, const std::function<void(Flow)>& each);

  Socket socket_;
};

}  // namespace knetsim::netlink
