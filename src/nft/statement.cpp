#include "knetsim/nft/statement.h"

#include <fmt/format.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "encode.h"
#include "knetsim/nft/objects.h"
#include "knetsim/sys/error.h"
#include "nodes.h"

namespace knetsim::nft {

namespace {

template <typename Kind>
Statement make(Kind kind) {
  return Statement(std::make_shared<const StatementNode>(StatementNode{std::move(kind)}));
}

void require_same(const Types& a, const Types& b, std::string_view what) {
  if (a != b)
    throw InputError(fmt::format("nft: {}: \"{}\" can't be compared with \"{}\"", what, to_string(a), to_string(b)));
}

Statement compare(const Value& value, std::uint32_t op, const Data& data) {
  require_same(value.types(), data.types(), data.to_string());
  return make(Compare{value, op, data});
}

Statement compare_prefix(const Value& value, bool negated, const Network& network) {
  const Network exact = canonical(network);
  require_same(value.types(), {is_v6(exact) ? Type::ipv6_addr : Type::ipv4_addr}, knetsim::to_string(exact));
  if (negated && prefix_length(exact) == 0)
    throw InputError(fmt::format("nft: != {} can never be true", knetsim::to_string(exact)));
  return make(ComparePrefix{value, negated, exact});
}

std::uint32_t nat_flags(const NatFlags& flags) { return flags.fully_random ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0U; }

Statement nat(std::uint32_t type, const NatTarget& target, const NatFlags& flags) {
  const Types types = target.types();
  const bool has_address = !types.empty() && (types.front() == Type::ipv4_addr || types.front() == Type::ipv6_addr);
  const bool fits = types.size() == 1 || (types.size() == 2 && types.back() == Type::inet_service);
  if (!has_address || !fits)
    throw InputError(fmt::format("nft: NAT needs an address, or an address with a port, not \"{}\"", to_string(types)));
  return make(Nat{type, target, nat_flags(flags)});
}

Statement membership(const Value& key, const Set& set, bool negated) {
  require_key(key);
  if (set.value || set.verdicts) throw InputError(fmt::format("nft: @{} is a map, not a set", set.id.name));
  require_same(key.types(), set.key.types(), "@" + set.id.name);
  return make(Membership{key, set.id, negated});
}

Statement set_mark_to(const Value& value, bool of_flow) {
  if (value.types() != Types{Type::integer}) require_same(value.types(), {Type::mark}, "mark");
  return make(SetMark{value, of_flow});
}

Statement update_with(std::uint32_t op, const Set& set, const Value& key, std::optional<Value> value,
                      std::optional<std::chrono::seconds> timeout) {
  require_same(key.types(), set.key.types(), "@" + set.id.name);
  if (value.has_value() != set.value.has_value() || set.verdicts)
    throw InputError(fmt::format("nft: update @{}: {} a value", set.id.name, set.value ? "needs" : "can't have"));
  if (value) require_same(value->types(), set.value->types(), "@" + set.id.name);
  require_key(key);
  if (value) require_key(*value);
  if (!set.dynamic) throw InputError(fmt::format("nft: update @{}: the set must be dynamic", set.id.name));
  return make(Update{op, set.id, key, std::move(value), timeout});
}

}  // namespace

Statement::Statement(std::shared_ptr<const StatementNode> node) : node_(std::move(node)) {}

Statement operator==(const Value& value, const Data& data) { return compare(value, NFT_CMP_EQ, data); }
Statement operator!=(const Value& value, const Data& data) { return compare(value, NFT_CMP_NEQ, data); }
Statement operator==(const Value& value, const Network& network) { return compare_prefix(value, false, network); }
Statement operator!=(const Value& value, const Network& network) { return compare_prefix(value, true, network); }

Statement any_of(std::initializer_list<CtState> states) {
  std::uint32_t bits = 0;
  for (const CtState state : states) bits |= static_cast<std::uint32_t>(state);
  return make(AnyBits{ct::state(), bits});
}

Statement any_of(std::initializer_list<CtStatus> statuses) {
  std::uint32_t bits = 0;
  for (const CtStatus status : statuses) bits |= static_cast<std::uint32_t>(status);
  return make(AnyBits{ct::status(), bits});
}

Statement in(const Value& key, const Set& set) { return membership(key, set, false); }
Statement not_in(const Value& key, const Set& set) { return membership(key, set, true); }

Statement in(const Value& key, std::vector<Data> set) {
  require_key(key);
  if (set.empty()) throw InputError("nft: an anonymous set needs at least one element");
  for (const Data& data : set) require_same(key.types(), data.types(), data.to_string());
  return make(Membership{key, std::move(set)});
}

Statement counter() { return make(Count{}); }
Statement accept() { return make(Verdict{Verdict::Kind::accept}); }
Statement drop() { return make(Verdict{Verdict::Kind::drop}); }
Statement return_() { return make(Verdict{Verdict::Kind::return_}); }

Statement jump(std::string chain) {
  require_name("chain", chain);
  return make(Verdict{Verdict::Kind::jump, std::move(chain)});
}

Statement goto_(std::string chain) {
  require_name("chain", chain);
  return make(Verdict{Verdict::Kind::goto_, std::move(chain)});
}

Statement vmap(const Value& key, const Set& map) {
  require_key(key);
  if (!map.verdicts) throw InputError(fmt::format("nft: @{} is no verdict map", map.id.name));
  require_same(key.types(), map.key.types(), "@" + map.id.name);
  return make(VerdictMapping{key, map.id});
}

Statement vmap(const Value& key, std::vector<std::pair<Data, Verdict>> map) {
  require_key(key);
  if (map.empty()) throw InputError("nft: an anonymous verdict map needs at least one element");
  for (const auto& [data, verdict] : map) require_same(key.types(), data.types(), data.to_string());
  return make(VerdictMapping{key, std::move(map)});
}

NatTarget::NatTarget(const Address& address) : constant_(Data(address)) {}
NatTarget::NatTarget(const Address& address, std::uint16_t port)
    : constant_(Data::concat({Data(address), Data::port(port)})) {}
NatTarget::NatTarget(const Value& value) : value_(value) {}

Types NatTarget::types() const { return constant_ ? constant_->types() : value_->types(); }

Statement dnat(const NatTarget& target, NatFlags flags) { return nat(NFT_NAT_DNAT, target, flags); }
Statement snat(const NatTarget& target, NatFlags flags) { return nat(NFT_NAT_SNAT, target, flags); }
Statement masquerade(NatFlags flags) { return make(Masquerade{nat_flags(flags)}); }

Statement set_mark(std::uint32_t mark) { return make(SetMark{mark, false}); }
Statement set_mark(const Value& value) { return set_mark_to(value, false); }
Statement set_flow_mark(std::uint32_t mark) { return make(SetMark{mark, true}); }
Statement set_flow_mark(const Value& value) { return set_mark_to(value, true); }

Statement reject() { return make(Reject{}); }

Statement update(const Set& set, const Value& key, std::optional<std::chrono::seconds> timeout) {
  return update_with(NFT_DYNSET_OP_UPDATE, set, key, {}, timeout);
}

Statement update(const Set& map, const Value& key, const Value& value, std::optional<std::chrono::seconds> timeout) {
  return update_with(NFT_DYNSET_OP_UPDATE, map, key, value, timeout);
}

Statement forget(const Set& map, const Value& key, const Value& value) {
  return update_with(NFT_DYNSET_OP_DELETE, map, key, value, {});
}

}  // namespace knetsim::nft
