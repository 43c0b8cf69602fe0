#include "knetsim/nft/value.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>

#include "knetsim/nft/objects.h"
#include "knetsim/sys/error.h"
#include "nodes.h"

namespace knetsim::nft {

namespace {

// enum proto_desc_id of nftables' include/proto.h.
constexpr std::uint32_t kUdpHeader = 6;
constexpr std::uint32_t kTcpHeader = 8;
constexpr std::uint32_t kTransportHeader = 11;
constexpr std::uint32_t kIpHeader = 12;
constexpr std::uint32_t kIp6Header = 13;

template <typename Kind>
Value make(Types types, Kind kind) {
  return Value(std::make_shared<const ValueNode>(ValueNode{std::move(types), std::move(kind)}));
}

Value network_field(Family family, Type type, std::uint32_t offset, std::uint32_t field) {
  return make({type}, PayloadField{.base = NFT_PAYLOAD_NETWORK_HEADER,
                                   .offset = offset,
                                   .length = static_cast<std::uint32_t>(size_of(type)),
                                   .header = family == Family::ip ? kIpHeader : kIp6Header,
                                   .field = field,
                                   .network = family,
                                   .protocol = {}});
}

Value destination_port(std::optional<L4Proto> protocol, std::uint32_t header) {
  return make({Type::inet_service}, PayloadField{.base = NFT_PAYLOAD_TRANSPORT_HEADER,
                                                 .offset = 2,
                                                 .length = static_cast<std::uint32_t>(size_of(Type::inet_service)),
                                                 .header = header,
                                                 .field = 2,
                                                 .network = {},
                                                 .protocol = protocol});
}

Value meta_key(Type type, std::uint32_t key) { return make({type}, MetaKey{key}); }

Value turn(std::uint32_t type, std::uint32_t modulus, std::uint32_t offset) {
  if (modulus == 0) throw InputError("numgen mod 0: at least 1");
  return make({Type::integer}, Turn{type, modulus, offset});
}

Value bit_operation(const Value& value, std::uint32_t mask, std::uint32_t toggle) {
  const Types types = value.types();
  if (types.size() != 1 || size_of(types) != 4 || !in_host_order(types.front())) {
    throw InputError(
        fmt::format("nft: bit operations are for 4-byte numbers such as marks, not for {}", to_string(types)));
  }
  return make(types, BitOperation{value, mask, toggle});
}

}  // namespace

void require_key(const Value& value) {
  const auto& kind = value.node().kind;
  if (const auto* operation = std::get_if<BitOperation>(&kind)) return require_key(operation->operand);
  if (std::holds_alternative<NamedLookup>(kind) || std::holds_alternative<AnonymousLookup>(kind)) {
    throw InputError(
        "nft: what is looked up can't itself come from a map, nft couldn't list it: set a mark from it first");
  }
}

Value::Value(std::shared_ptr<const ValueNode> node) : node_(std::move(node)) {}

Types Value::types() const { return node_->types; }

namespace ip {
Value saddr() { return network_field(Family::ip, Type::ipv4_addr, 12, 11); }
Value daddr() { return network_field(Family::ip, Type::ipv4_addr, 16, 12); }
}  // namespace ip

namespace ip6 {
Value saddr() { return network_field(Family::ip6, Type::ipv6_addr, 8, 8); }
Value daddr() { return network_field(Family::ip6, Type::ipv6_addr, 24, 9); }
}  // namespace ip6

Value saddr_of(Family family) { return address_type(family) == Type::ipv6_addr ? ip6::saddr() : ip::saddr(); }
Value daddr_of(Family family) { return address_type(family) == Type::ipv6_addr ? ip6::daddr() : ip::daddr(); }

namespace tcp {
Value dport() { return destination_port(L4Proto::tcp, kTcpHeader); }
}  // namespace tcp

namespace udp {
Value dport() { return destination_port(L4Proto::udp, kUdpHeader); }
}  // namespace udp

namespace th {
Value dport() { return destination_port({}, kTransportHeader); }
}  // namespace th

namespace meta {
Value l4proto() { return meta_key(Type::inet_proto, NFT_META_L4PROTO); }
Value iifname() { return meta_key(Type::ifname, NFT_META_IIFNAME); }
Value oifname() { return meta_key(Type::ifname, NFT_META_OIFNAME); }
Value mark() { return meta_key(Type::mark, NFT_META_MARK); }
}  // namespace meta

namespace ct {
Value state() { return make({Type::ct_state}, CtKey{NFT_CT_STATE, {}}); }
Value status() { return make({Type::ct_status}, CtKey{NFT_CT_STATUS, {}}); }
Value original_daddr(Family family) {
  return make({address_type(family)},
              CtKey{family == Family::ip6 ? NFT_CT_DST_IP6 : NFT_CT_DST_IP, IP_CT_DIR_ORIGINAL});
}
Value original_dport() { return make({Type::inet_service}, CtKey{NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL}); }
Value mark() { return make({Type::mark}, CtKey{NFT_CT_MARK, {}}); }
}  // namespace ct

namespace fib {
Value daddr_type() { return make({Type::fib_addrtype}, FibAddressType{.source = false}); }
Value saddr_type() { return make({Type::fib_addrtype}, FibAddressType{.source = true}); }
}  // namespace fib

namespace numgen {
Value inc(std::uint32_t modulus, std::uint32_t offset) { return turn(NFT_NG_INCREMENTAL, modulus, offset); }
Value random(std::uint32_t modulus, std::uint32_t offset) { return turn(NFT_NG_RANDOM, modulus, offset); }
}  // namespace numgen

Value concat(std::vector<Value> parts) {
  Types types;
  for (const Value& part : parts) {
    require_key(part);
    if (part.types().size() != 1) throw InputError("nft: concatenations can't be nested");
    types.push_back(part.types().front());
  }
  if (parts.empty() || types.size() > Data::Parts::static_capacity || size_of(types) > Data::Bytes::static_capacity) {
    throw InputError(fmt::format("nft: a concatenation of {} parts doesn't fit: 1 to {} parts of {} bytes",
                                 parts.size(), std::size_t{Data::Parts::static_capacity},
                                 std::size_t{Data::Bytes::static_capacity}));
  }
  if (parts.size() == 1) return parts.front();
  return make(std::move(types), Concatenation{std::move(parts)});
}

Value operator&(const Value& value, std::uint32_t mask) { return bit_operation(value, mask, 0); }
Value operator|(const Value& value, std::uint32_t bits) { return bit_operation(value, ~bits, bits); }

Value lookup(const Value& key, const Set& map) {
  require_key(key);
  if (!map.value) throw InputError(fmt::format("nft: @{} is no map of values", map.id.name));
  if (key.types() != map.key.types()) {
    throw InputError(fmt::format("nft: a key of type \"{}\" can't be looked up in map @{} of \"{}\"",
                                 to_string(key.types()), map.id.name, to_string(map.key.types())));
  }
  return make(map.value->types(), NamedLookup{key, map.id});
}

Value lookup(const Value& key, std::vector<std::pair<Data, Data>> anonymous_map) {
  require_key(key);
  if (anonymous_map.empty()) throw InputError("nft: an anonymous map needs at least one element");
  const Types types = anonymous_map.front().second.types();
  for (const auto& [from, to] : anonymous_map) {
    if (from.types() != key.types() || to.types() != types) {
      throw InputError(fmt::format("nft: element {} : {} doesn't fit a map of \"{}\" to \"{}\"", from.to_string(),
                                   to.to_string(), to_string(key.types()), to_string(types)));
    }
  }
  return make(types, AnonymousLookup{key, std::move(anonymous_map)});
}

Value as(const Value& value, Type type) {
  const Types types = value.types();
  if (types.size() != 1 || size_of(types) != size_of(type) || in_host_order(types.front()) != in_host_order(type))
    throw InputError(fmt::format("nft: \"{}\" can't be taken for {}", to_string(types), to_string(type)));
  return Value(std::make_shared<const ValueNode>(ValueNode{{type}, value.node().kind}));
}

}  // namespace knetsim::nft
