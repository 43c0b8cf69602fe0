#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "knetsim/nft/value.h"

namespace knetsim::nft {

struct StatementNode;

/// One step of a rule: a match, or an action. Immutable and cheap to copy. See nft(8), STATEMENTS.
class Statement {
 public:
  explicit Statement(std::shared_ptr<const StatementNode> node);
  const StatementNode& node() const noexcept { return *node_; }

 private:
  std::shared_ptr<const StatementNode> node_;
};

// Matches. All throw InputError when the two sides' types differ.
Statement operator==(const Value& value, const Data& data);
Statement operator!=(const Value& value, const Data& data);
/// `ip daddr 10.0.0.0/8`
Statement operator==(const Value& value, const Network& network);
Statement operator!=(const Value& value, const Network& network);
/// `ct state new,established`: any of the bits.
Statement any_of(std::initializer_list<CtState> states);
Statement any_of(std::initializer_list<CtStatus> statuses);
/// `key @set`
Statement in(const Value& key, const Set& set);
/// `key != @set`
Statement not_in(const Value& key, const Set& set);
/// `key { a, b }`
Statement in(const Value& key, std::vector<Data> anonymous_set);

Statement counter();

// Verdicts.
Statement accept();
Statement drop();
Statement return_();
Statement jump(std::string chain);
Statement goto_(std::string chain);
/// `key vmap @map`, `key vmap { a : accept, b : goto c }`
Statement vmap(const Value& key, const Set& map);
Statement vmap(const Value& key, std::vector<std::pair<Data, Verdict>> anonymous_map);

/// The flags of `snat`, `dnat` and `masquerade`.
struct NatFlags {
  bool fully_random = false;
};

/// Where NAT sends a flow: an address, an address with a port, or a value of those types (a lookup, say).
class NatTarget {
 public:
  NatTarget(const Address& address);  // NOLINT(google-explicit-constructor)
  NatTarget(const Address& address, std::uint16_t port);
  NatTarget(const Value& value);  // NOLINT(google-explicit-constructor)

  const std::optional<Data>& constant() const noexcept { return constant_; }
  const std::optional<Value>& value() const noexcept { return value_; }
  Types types() const;

 private:
  std::optional<Data> constant_;
  std::optional<Value> value_;
};

Statement dnat(const NatTarget& target, NatFlags flags = {});
Statement snat(const NatTarget& target, NatFlags flags = {});
Statement masquerade(NatFlags flags = {});

/// `meta mark set …`: a mark, or another number (`numgen`).
Statement set_mark(std::uint32_t mark);
Statement set_mark(const Value& value);
/// `ct mark set …`: the same of the flow.
Statement set_flow_mark(std::uint32_t mark);
Statement set_flow_mark(const Value& value);

/// ICMP port unreachable of the packet's family.
Statement reject();

/// `update @set { key timeout t }`, `update @map { key : value timeout t }`: adds the element; one that is there keeps
/// its value and has its timeout renewed. The set must have been made with dynamic = true. The value can't come from a
/// map: `nft list` (1.0.6) aborts on such a rule.
Statement update(const Set& set, const Value& key, std::optional<std::chrono::seconds> timeout = {});
Statement update(const Set& map, const Value& key, const Value& value,
                 std::optional<std::chrono::seconds> timeout = {});
/// `delete @map { key : value }`: of what rules have added; the value doesn't count.
Statement forget(const Set& map, const Value& key, const Value& value);

}  // namespace knetsim::nft
