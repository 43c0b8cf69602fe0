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
  bool negated;
  std::variant<SetId, std::vector<Data>> set;
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

enum class MarkOf { packet, flow };

struct SetMark {
  MarkOf mark;
  std::variant<std::uint32_t, Value> value;
};

enum class RejectWith { port_unreachable, tcp_reset };

struct Log {
  std::string prefix;
};

struct Update {
  SetId set;
  Value key;
  std::optional<Value> value;
  std::optional<std::chrono::seconds> timeout;
};

struct StatementNode {
  std::variant<Compare, ComparePrefix, AnyBits, Membership, Count, Verdict, VerdictMapping, Nat, Masquerade, SetMark,
               RejectWith, Log, Update>
      kind;
};

}  // namespace knetsim::nft
