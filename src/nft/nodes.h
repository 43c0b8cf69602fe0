#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "knetsim/nft/data.h"
#include "knetsim/nft/statement.h"
#include "knetsim/nft/types.h"
#include "knetsim/nft/value.h"

namespace knetsim::nft {

/// A header field. `header` and `field` are nft's own numbers (enum proto_desc_id and the field's place in its
/// template, nftables include/proto.h): it stores them in a set's userdata for `typeof`.
struct PayloadField {
  std::uint32_t base;  ///< NFT_PAYLOAD_*
  std::uint32_t offset;
  std::uint32_t length;
  std::uint32_t header;
  std::uint32_t field;
  std::optional<Family> network;    ///< only in packets of this family
  std::optional<L4Proto> protocol;  ///< only in packets of this protocol
};

struct MetaKey {
  std::uint32_t key;  ///< NFT_META_*
};

struct CtKey {
  std::uint32_t key;                      ///< NFT_CT_*
  std::optional<std::uint8_t> direction;  ///< IP_CT_DIR_*
};

struct FibAddressType {
  bool source;  ///< whose address
};

struct Turn {
  std::uint32_t type;  ///< NFT_NG_*
  std::uint32_t modulus;
  std::uint32_t offset;
};

struct Concatenation {
  std::vector<Value> parts;
};

struct BitOperation {
  Value operand;
  std::uint32_t mask;
  std::uint32_t toggle;  ///< (operand & mask) ^ toggle
};

struct NamedLookup {
  Value key;
  SetId map;
};

struct AnonymousLookup {
  Value key;
  std::vector<std::pair<Data, Data>> map;
};

struct ValueNode {
  Types types;
  std::variant<PayloadField, MetaKey, CtKey, FibAddressType, Turn, Concatenation, BitOperation, NamedLookup,
               AnonymousLookup>
      kind;
};

/// Throws InputError if the value comes from a map: nft 1.0.6 gives it no length, and aborts when it lists a rule that
/// looks it up or stores it (netlink_parse_concat_expr).
void require_key(const Value& value);

struct Compare {
  Value value;
  std::uint32_t op;  ///< NFT_CMP_*
  Data data;
};

struct ComparePrefix {
  Value value;
  bool negated;
  Network network;
};

struct AnyBits {
  Value value;
  std::uint32_t bits;
};

struct Membership {
  Value key;
  std::variant<SetId, std::vector<Data>> set;
  bool negated = false;
};

struct Count {};

struct VerdictMapping {
  Value key;
  std::variant<SetId, std::vector<std::pair<Data, Verdict>>> map;
};

struct Nat {
  std::uint32_t type;  ///< NFT_NAT_*
  NatTarget target;
  std::uint32_t flags;  ///< NF_NAT_RANGE_*
};

struct Masquerade {
  std::uint32_t flags;
};

struct SetMark {
  std::variant<std::uint32_t, Value> value;
  bool of_flow;  ///< of the flow, or of the packet
};

/// `meta nftrace set 1`
struct SetTrace {};

struct Reject {};

struct Update {
  std::uint32_t op;  ///< NFT_DYNSET_OP_*
  SetId set;
  Value key;
  std::optional<Value> value;
  std::optional<std::chrono::seconds> timeout;
};

struct StatementNode {
  std::variant<Compare, ComparePrefix, AnyBits, Membership, Count, Verdict, VerdictMapping, Nat, Masquerade, SetMark,
               SetTrace, Reject, Update>
      kind;
};

}  // namespace knetsim::nft
