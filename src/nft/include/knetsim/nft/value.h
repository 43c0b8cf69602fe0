#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "knetsim/nft/data.h"
#include "knetsim/nft/types.h"

namespace knetsim::nft {

struct Set;
struct ValueNode;

/// What the kernel computes for a packet: a header field, a meta or conntrack key, a turn, a lookup. Immutable and
/// cheap to copy. The functions below have the names of nft(8).
class Value {
 public:
  explicit Value(std::shared_ptr<const ValueNode> node);

  Types types() const;
  const ValueNode& node() const noexcept { return *node_; }

 private:
  std::shared_ptr<const ValueNode> node_;
};

namespace ip {
Value saddr();
Value daddr();
}  // namespace ip

namespace ip6 {
Value saddr();
Value daddr();
}  // namespace ip6

/// The source or destination address of whichever family: ip::saddr() or ip6::saddr().
Value saddr_of(Family family);
Value daddr_of(Family family);

namespace tcp {
Value dport();
}  // namespace tcp

namespace udp {
Value dport();
}  // namespace udp

/// The port of TCP, UDP and SCTP alike; the rule must have settled that it is one of them.
namespace th {
Value dport();
}  // namespace th

namespace meta {
Value l4proto();
Value iifname();
Value oifname();
Value mark();
}  // namespace meta

namespace ct {
Value state();
Value status();
/// `ct original ip daddr` or `ct original ip6 daddr`: where the flow's first packet was sent, before any NAT.
Value original_daddr(Family family);
/// `ct original proto-dst`
Value original_dport();
/// `ct mark`: the flow's own.
Value mark();
}  // namespace ct

namespace fib {
/// `fib daddr type`
Value daddr_type();
/// `fib saddr type`
Value saddr_type();
}  // namespace fib

namespace numgen {
/// 0, 1, ... modulus-1, 0, ...: one turn for each evaluation; every rule has a counter of its own, which starts at 0.
Value inc(std::uint32_t modulus, std::uint32_t offset = 0);
Value random(std::uint32_t modulus, std::uint32_t offset = 0);
}  // namespace numgen

// What is looked up in a set or map (the keys of concat, lookup, in, vmap, update) can't itself come from a map: the
// kernel could do it, but `nft list` (1.0.6) aborts on such a rule. Put it into a mark first. All throw InputError.

Value concat(std::vector<Value> parts);

/// Bit operations on 4-byte numbers (marks): `meta mark and 0xff`.
Value operator&(const Value& value, std::uint32_t mask);
Value operator|(const Value& value, std::uint32_t bits);

/// `key map @name`: the packet leaves the rule where the map has no such key. Throws InputError unless the key's types
/// are the map's.
Value lookup(const Value& key, const Set& map);
/// The same with a map written in the rule: `key map { a : b, ... }`.
Value lookup(const Value& key, std::vector<std::pair<Data, Data>> anonymous_map);

/// The same bits taken for another type of the same size and byte order: a turn as a mark, a mark as an index.
Value as(const Value& value, Type type);

}  // namespace knetsim::nft
