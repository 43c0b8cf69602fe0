#include "compiler.h"

#include <fmt/format.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include <new>

#include "knetsim/sys/error.h"

namespace knetsim::nft {

namespace {

std::uint32_t nfproto(Type address) {
  return static_cast<std::uint32_t>(address == Type::ipv6_addr ? Family::ip6 : Family::ip);
}

}  // namespace

RuleCompiler::RuleCompiler(Family family, nftnl_rule& rule, DeclareSet declare)
    : rule_(rule), declare_(std::move(declare)), family_(family) {
  if (family != Family::inet) network_ = family;
}

void RuleCompiler::add(const Statement& statement) {
  std::visit([this](const auto& kind) { add(kind); }, statement.node().kind);
}

nftnl_expr& RuleCompiler::append(const char* name, const Numbers& numbers) {
  nftnl_expr* expression = nftnl_expr_alloc(name);
  if (expression == nullptr) throw std::bad_alloc();
  nftnl_rule_add_expr(&rule_, expression);
  for (const auto& [attribute, number] : numbers) nftnl_expr_set_u32(expression, attribute, number);
  return *expression;
}

void RuleCompiler::add(const Compare& match) {
  load(match.value);
  compare(match.op, match.data.bytes().data(), match.data.bytes().size());
  learn(match);
}

void RuleCompiler::add(const ComparePrefix& match) {
  const Data address(address_of(match.network));
  const std::size_t length = prefix_length(match.network);
  const std::uint32_t op = match.negated ? NFT_CMP_NEQ : NFT_CMP_EQ;
  require(match.value);
  if (length == 0) return;
  const auto* field = std::get_if<PayloadField>(&match.value.node().kind);
  if (field != nullptr && length % 8 == 0) {
    PayloadField leading = *field;
    leading.length = static_cast<std::uint32_t>(length / 8);
    load(leading, 0);
    return compare(op, address.bytes().data(), leading.length);
  }
  load(match.value);
  std::vector<std::uint8_t> keep(address.bytes().size());
  for (std::size_t bit = 0; bit < length; ++bit) keep[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  mask(0, keep, std::vector<std::uint8_t>(keep.size()));
  compare(op, address.bytes().data(), address.bytes().size());
}

void RuleCompiler::add(const AnyBits& match) {
  load(match.value);
  mask(0, host_bytes(match.bits), host_bytes(0));
  const std::uint32_t none = 0;
  compare(NFT_CMP_NEQ, &none, sizeof none);
}

void RuleCompiler::add(const Membership& match) {
  load(match.key);
  nftnl_expr* lookup = nullptr;
  if (const auto* named = std::get_if<SetId>(&match.set)) {
    lookup = &append("lookup");
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, named->name.c_str());
  } else {
    AnonymousSet set{.key = match.key.types(), .value = {}, .elements = {}};
    for (const Data& key : std::get<std::vector<Data>>(match.set)) set.elements.push_back(Element{.key = key});
    const std::uint32_t id = declare_(set);
    lookup = &append("lookup");
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, set.name());
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, id);
  }
  nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, register_of(0));
  if (match.negated) nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void RuleCompiler::add(const Count&) { append("counter"); }

void RuleCompiler::add(const Verdict& verdict) {
  nftnl_expr& immediate = append("immediate", {{NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT},
                                               {NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(verdict.kind)}});
  if (!verdict.chain.empty()) nftnl_expr_set_str(&immediate, NFTNL_EXPR_IMM_CHAIN, verdict.chain.c_str());
}

void RuleCompiler::add(const VerdictMapping& mapping) {
  load(mapping.key);
  std::string name;
  std::optional<std::uint32_t> id;
  if (const auto* named = std::get_if<SetId>(&mapping.map)) {
    name = named->name;
  } else {
    AnonymousSet map{.key = mapping.key.types(), .value = {}, .verdicts = true, .elements = {}};
    for (const auto& [key, verdict] : std::get<1>(mapping.map))
      map.elements.push_back(Element{.key = key, .value = {}, .verdict = verdict});
    name = map.name();
    id = declare_(map);
  }
  nftnl_expr& lookup =
      append("lookup", {{NFTNL_EXPR_LOOKUP_SREG, register_of(0)}, {NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT}});
  nftnl_expr_set_str(&lookup, NFTNL_EXPR_LOOKUP_SET, name.c_str());
  if (id) nftnl_expr_set_u32(&lookup, NFTNL_EXPR_LOOKUP_SET_ID, *id);
}

void RuleCompiler::add(const Nat& nat) {
  const Types types = nat.target.types();
  const Type address = types.front();
  const bool has_port = types.size() == 2;
  std::uint32_t flags = nat.flags;
  if (nat.target.constant()) {
    load_constant(*nat.target.constant());
    if (has_port) flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
  } else {
    load(*nat.target.value());
  }
  nftnl_expr& expression = append("nat", {{NFTNL_EXPR_NAT_TYPE, nat.type},
                                          {NFTNL_EXPR_NAT_FAMILY, nfproto(address)},
                                          {NFTNL_EXPR_NAT_REG_ADDR_MIN, register_of(0)}});
  if (has_port) nftnl_expr_set_u32(&expression, NFTNL_EXPR_NAT_REG_PROTO_MIN, register_of(words({address})));
  if (flags != 0) nftnl_expr_set_u32(&expression, NFTNL_EXPR_NAT_FLAGS, flags);
}

void RuleCompiler::add(const Masquerade& masquerade) {
  nftnl_expr& expression = append("masq");
  if (masquerade.flags != 0) nftnl_expr_set_u32(&expression, NFTNL_EXPR_MASQ_FLAGS, masquerade.flags);
}

void RuleCompiler::add(const SetMark& set) {
  if (const auto* constant = std::get_if<std::uint32_t>(&set.value))
    load_constant(Data::mark(*constant));
  else
    load(std::get<Value>(set.value));
  if (set.of_flow)
    append("ct", {{NFTNL_EXPR_CT_KEY, NFT_CT_MARK}, {NFTNL_EXPR_CT_SREG, register_of(0)}});
  else
    append("meta", {{NFTNL_EXPR_META_KEY, NFT_META_MARK}, {NFTNL_EXPR_META_SREG, register_of(0)}});
}

void RuleCompiler::add(const SetTrace&) {
  const std::uint8_t on = 1;
  nftnl_expr& immediate = append("immediate", {{NFTNL_EXPR_IMM_DREG, register_of(0)}});
  nftnl_expr_set_data(&immediate, NFTNL_EXPR_IMM_DATA, &on, sizeof on);
  append("meta", {{NFTNL_EXPR_META_KEY, NFT_META_NFTRACE}, {NFTNL_EXPR_META_SREG, register_of(0)}});
}

void RuleCompiler::add(const Reject&) {
  const bool any = family_ == Family::inet;
  nftnl_expr& expression =
      append("reject", {{NFTNL_EXPR_REJECT_TYPE, any ? NFT_REJECT_ICMPX_UNREACH : NFT_REJECT_ICMP_UNREACH}});
  const int code = family_ == Family::ip6 ? ICMPV6_PORT_UNREACH : ICMP_PORT_UNREACH;
  nftnl_expr_set_u8(&expression, NFTNL_EXPR_REJECT_CODE,
                    static_cast<std::uint8_t>(any ? int{NFT_REJECT_ICMPX_PORT_UNREACH} : code));
}

void RuleCompiler::add(const Update& update) {
  // The tests use the first registers in passing: they come before the key is put there.
  if (update.value) require(*update.value);
  load(update.key);
  const Slot value = words(update.key.types());
  if (update.value) load(*update.value, value);
  nftnl_expr& expression = append("dynset", {{NFTNL_EXPR_DYNSET_SREG_KEY, register_of(0)}});
  if (update.value) nftnl_expr_set_u32(&expression, NFTNL_EXPR_DYNSET_SREG_DATA, register_of(value));
  nftnl_expr_set_u32(&expression, NFTNL_EXPR_DYNSET_OP, update.op);
  if (update.timeout) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*update.timeout).count();
    nftnl_expr_set_u64(&expression, NFTNL_EXPR_DYNSET_TIMEOUT, static_cast<std::uint64_t>(milliseconds));
  }
  nftnl_expr_set_str(&expression, NFTNL_EXPR_DYNSET_SET_NAME, update.set.name.c_str());
}

}  // namespace knetsim::nft
