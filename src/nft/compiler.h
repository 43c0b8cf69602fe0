#pragma once

#include <linux/netfilter/nf_tables.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "knetsim/nft/objects.h"
#include "nodes.h"

struct nftnl_expr;
struct nftnl_rule;

namespace knetsim::nft {

/// The kernel's registers are 16 words of 4 bytes; a slot is the index of one.
inline constexpr std::uint32_t kRegisterWords = 16;

inline std::uint32_t register_of(std::uint32_t slot) { return NFT_REG32_00 + slot; }

inline std::uint32_t words(const Types& types) { return static_cast<std::uint32_t>((size_of(types) + 3) / 4); }

inline std::vector<std::uint8_t> host_bytes(std::uint32_t number) {
  const Data data = Data::integer(number);
  return {data.bytes().begin(), data.bytes().end()};
}

/// A set that is written in a rule and lives and dies with it.
struct AnonymousSet {
  Types key;
  Types value;  ///< empty: a set, or a map of verdicts
  bool verdicts = false;
  std::vector<Element> elements;

  bool is_map() const { return verdicts || !value.empty(); }
  /// The kernel replaces %d.
  const char* name() const { return is_map() ? "__map%d" : "__set%d"; }
};

/// Turns statements into the kernel's expressions, in the order and with the registers that `nft` itself would use, so
/// that a listing reads as it was meant. See nftables' src/netlink_linearize.c.
class RuleCompiler {
 public:
  /// Announces an anonymous set to the batch; returns the set's id in it.
  using DeclareSet = std::function<std::uint32_t(const AnonymousSet&)>;

  /// Appends to `rule`, which must outlive the compiler.
  RuleCompiler(Family family, nftnl_rule& rule, DeclareSet declare);

  void add(const Statement& statement);

 private:
  using Slot = std::uint32_t;  // a 4-byte word of the 64 bytes of registers

  void add(const Compare& match);
  void add(const ComparePrefix& match);
  void add(const AnyBits& match);
  void add(const Membership& match);
  void add(const Count&);
  void add(const Verdict& verdict);
  void add(const VerdictMapping& mapping);
  void add(const Nat& nat);
  void add(const Masquerade& masquerade);
  void add(const SetMark& set);
  void add(const SetTrace&);
  void add(const Reject&);
  void add(const Update& update);

  // In compiler_values.cpp: how values get into registers.

  /// Computes the value, with the tests that it needs, into the first registers.
  void load(const Value& value);
  void load(const Value& value, Slot to);
  void load(const PayloadField& field, Slot to);
  void load_turn(const Turn& turn, Slot to);
  void load_lookup(const Value& key, const std::string& map, std::optional<std::uint32_t> id, Slot to);
  void load_constant(const Data& data);
  /// Adds the tests of family and protocol without which the header fields in it would be other bytes.
  void require(const Value& value);
  void require_network(Family network);
  void require_protocol(L4Proto protocol);
  void learn(const Compare& match);
  void compare(std::uint32_t op, const void* bytes, std::size_t size);
  void mask(Slot slot, const std::vector<std::uint8_t>& keep, const std::vector<std::uint8_t>& toggle);

  using Numbers = std::initializer_list<std::pair<std::uint16_t, std::uint32_t>>;  // NFTNL_EXPR_*, its value
  /// Allocated by libnftnl and owned by the rule.
  nftnl_expr& append(const char* name, const Numbers& numbers = {});

  nftnl_rule& rule_;
  DeclareSet declare_;
  Family family_;
  std::optional<Family> network_;
  std::optional<L4Proto> protocol_;
};

}  // namespace knetsim::nft
