// How values get into registers; compiler.cpp has the statements.
#include <fmt/format.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_tables.h>

#include "compiler.h"
#include "knetsim/sys/error.h"

namespace knetsim::nft {

namespace {

struct OperandsOf {
  std::vector<Value> operator()(const Concatenation& kind) const { return kind.parts; }
  std::vector<Value> operator()(const BitOperation& kind) const { return {kind.operand}; }
  std::vector<Value> operator()(const NamedLookup& kind) const { return {kind.key}; }
  std::vector<Value> operator()(const AnonymousLookup& kind) const { return {kind.key}; }
  std::vector<Value> operator()(const auto& /*computed from nothing*/) const { return {}; }
};

/// The values that `value` is computed from.
std::vector<Value> operands(const Value& value) { return std::visit(OperandsOf{}, value.node().kind); }

}  // namespace

void RuleCompiler::load(const Value& value) {
  require(value);
  load(value, 0);
}

void RuleCompiler::load(const Value& value, Slot to) {
  if (to + words(value.types()) > kRegisterWords) {
    throw InputError(fmt::format("nft: a statement needs more than the kernel's {} bytes of registers for \"{}\"",
                                 kRegisterWords * 4, to_string(value.types())));
  }
  struct Visitor {
    RuleCompiler& self;
    const Value& value;
    Slot to;

    void operator()(const PayloadField& field) const { self.load(field, to); }
    void operator()(const MetaKey& meta_key) const {
      self.append("meta", {{NFTNL_EXPR_META_KEY, meta_key.key}, {NFTNL_EXPR_META_DREG, register_of(to)}});
    }
    void operator()(const CtKey& ct_key) const {
      nftnl_expr& expression =
          self.append("ct", {{NFTNL_EXPR_CT_KEY, ct_key.key}, {NFTNL_EXPR_CT_DREG, register_of(to)}});
      if (ct_key.direction) nftnl_expr_set_u8(&expression, NFTNL_EXPR_CT_DIR, *ct_key.direction);
    }
    void operator()(const FibAddressType& of) const {
      self.append("fib", {{NFTNL_EXPR_FIB_DREG, register_of(to)},
                          {NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE},
                          {NFTNL_EXPR_FIB_FLAGS, of.source ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR}});
    }
    void operator()(const Turn& turn) const { self.load_turn(turn, to); }
    void operator()(const Concatenation& concatenation) const {
      Slot slot = to;
      for (const Value& part : concatenation.parts) {
        self.load(part, slot);
        slot += words(part.types());
      }
    }
    void operator()(const BitOperation& operation) const {
      self.load(operation.operand, to);
      self.mask(to, host_bytes(operation.mask), host_bytes(operation.toggle));
    }
    void operator()(const NamedLookup& lookup) const { self.load_lookup(lookup.key, lookup.map.name, {}, to); }
    void operator()(const AnonymousLookup& lookup) const {
      AnonymousSet map{.key = lookup.key.types(), .value = value.types(), .elements = {}};
      for (const auto& [from, into] : lookup.map) map.elements.push_back(Element{.key = from, .value = into});
      self.load_lookup(lookup.key, map.name(), self.declare_(map), to);
    }
  };
  std::visit(Visitor{*this, value, to}, value.node().kind);
}

void RuleCompiler::load(const PayloadField& field, Slot to) {
  append("payload", {{NFTNL_EXPR_PAYLOAD_DREG, register_of(to)},
                     {NFTNL_EXPR_PAYLOAD_BASE, field.base},
                     {NFTNL_EXPR_PAYLOAD_OFFSET, field.offset},
                     {NFTNL_EXPR_PAYLOAD_LEN, field.length}});
}

void RuleCompiler::load_turn(const Turn& turn, Slot to) {
  append("numgen", {{NFTNL_EXPR_NG_DREG, register_of(to)},
                    {NFTNL_EXPR_NG_MODULUS, turn.modulus},
                    {NFTNL_EXPR_NG_TYPE, turn.type},
                    {NFTNL_EXPR_NG_OFFSET, turn.offset}});
}

void RuleCompiler::load_lookup(const Value& key, const std::string& map, std::optional<std::uint32_t> id, Slot to) {
  load(key, to);
  nftnl_expr& expression =
      append("lookup", {{NFTNL_EXPR_LOOKUP_SREG, register_of(to)}, {NFTNL_EXPR_LOOKUP_DREG, register_of(to)}});
  nftnl_expr_set_str(&expression, NFTNL_EXPR_LOOKUP_SET, map.c_str());
  if (id) nftnl_expr_set_u32(&expression, NFTNL_EXPR_LOOKUP_SET_ID, *id);
}

void RuleCompiler::load_constant(const Data& data) {
  Slot to = 0;
  std::size_t offset = 0;
  for (const Type type : data.parts()) {
    nftnl_expr& immediate = append("immediate", {{NFTNL_EXPR_IMM_DREG, register_of(to)}});
    nftnl_expr_set_data(&immediate, NFTNL_EXPR_IMM_DATA, data.bytes().data() + offset,
                        static_cast<std::uint32_t>(size_of(type)));
    to += words({type});
    offset += words({type}) * 4;
  }
}

void RuleCompiler::compare(std::uint32_t op, const void* bytes, std::size_t size) {
  nftnl_expr& expression = append("cmp", {{NFTNL_EXPR_CMP_SREG, register_of(0)}, {NFTNL_EXPR_CMP_OP, op}});
  nftnl_expr_set_data(&expression, NFTNL_EXPR_CMP_DATA, bytes, static_cast<std::uint32_t>(size));
}

void RuleCompiler::mask(Slot slot, const std::vector<std::uint8_t>& keep, const std::vector<std::uint8_t>& toggle) {
  nftnl_expr& expression = append("bitwise");
  const auto size = static_cast<std::uint32_t>(keep.size());
  nftnl_expr_set_u32(&expression, NFTNL_EXPR_BITWISE_SREG, register_of(slot));
  nftnl_expr_set_u32(&expression, NFTNL_EXPR_BITWISE_DREG, register_of(slot));
  nftnl_expr_set_u32(&expression, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
  nftnl_expr_set_u32(&expression, NFTNL_EXPR_BITWISE_LEN, size);
  nftnl_expr_set_data(&expression, NFTNL_EXPR_BITWISE_MASK, keep.data(), size);
  nftnl_expr_set_data(&expression, NFTNL_EXPR_BITWISE_XOR, toggle.data(), size);
}

void RuleCompiler::require(const Value& value) {
  if (const auto* field = std::get_if<PayloadField>(&value.node().kind)) {
    if (field->network) require_network(*field->network);
    if (field->protocol) require_protocol(*field->protocol);
  }
  for (const Value& operand : operands(value)) require(operand);
}

void RuleCompiler::require_network(Family network) {
  if (network_ == network) return;
  if (network_) {
    throw InputError(
        fmt::format("nft: a rule for {} packets can't look at an {} header", to_string(*network_), to_string(network)));
  }
  append("meta", {{NFTNL_EXPR_META_KEY, NFT_META_NFPROTO}, {NFTNL_EXPR_META_DREG, register_of(0)}});
  const auto wanted = static_cast<std::uint8_t>(network);
  compare(NFT_CMP_EQ, &wanted, sizeof wanted);
  network_ = network;
}

void RuleCompiler::require_protocol(L4Proto protocol) {
  if (protocol_ == protocol) return;
  if (protocol_) {
    throw InputError(fmt::format("nft: a rule for {} packets can't look at a header of {}",
                                 Data(*protocol_).to_string(), Data(protocol).to_string()));
  }
  append("meta", {{NFTNL_EXPR_META_KEY, NFT_META_L4PROTO}, {NFTNL_EXPR_META_DREG, register_of(0)}});
  const auto wanted = static_cast<std::uint8_t>(protocol);
  compare(NFT_CMP_EQ, &wanted, sizeof wanted);
  protocol_ = protocol;
}

void RuleCompiler::learn(const Compare& match) {
  if (match.op != NFT_CMP_EQ || match.data.types() != Types{Type::inet_proto}) return;
  protocol_ = static_cast<L4Proto>(match.data.bytes().front());
}

}  // namespace knetsim::nft
