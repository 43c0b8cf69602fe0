#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/nft/data.h"
#include "knetsim/nft/statement.h"
#include "knetsim/nft/types.h"
#include "knetsim/nft/value.h"

namespace knetsim::nft {

struct Table {
  TableId id;
  std::string comment = {};
};

/// NF_INET_*
enum class HookPoint : std::uint32_t { prerouting = 0, input = 1, forward = 2, output = 3, postrouting = 4 };
enum class ChainType { filter, nat, route };
enum class Policy : std::uint32_t { drop = 0, accept = 1 };

/// Some of those that nft(8) has names for.
namespace priority {
inline constexpr int kDstNat = -100;
inline constexpr int kFilter = 0;
inline constexpr int kSrcNat = 100;
}  // namespace priority

/// What makes a chain a base chain.
struct Hook {
  ChainType type = ChainType::filter;
  HookPoint point = HookPoint::prerouting;
  int priority = priority::kFilter;
  Policy policy = Policy::accept;
};

struct Chain {
  ChainId id;
  std::optional<Hook> hook = {};  ///< none: a regular chain, reached by jump or goto
  std::string comment = {};
};

struct Rule {
  ChainId chain;
  std::vector<Statement> statements;
  std::string comment = {};
};

/// What a set's keys or a map's values are: types by name (`type ipv4_addr . inet_proto`), or by the expressions they
/// are compared with (`typeof ip daddr . meta l4proto`).
class TypeSpec {
 public:
  TypeSpec(std::initializer_list<Type> types);  // NOLINT(google-explicit-constructor)
  static TypeSpec of(std::vector<Value> expressions);

  const Types& types() const noexcept { return types_; }
  const std::vector<Value>& expressions() const noexcept { return expressions_; }

 private:
  TypeSpec() = default;
  Types types_;
  std::vector<Value> expressions_;
};

/// A set; a map when it has values; a verdict map when `verdicts` is true.
struct Set {
  SetId id;
  TypeSpec key;
  std::optional<TypeSpec> value = {};
  bool verdicts = false;
  bool dynamic = false;                              ///< written by rules (`update`)
  bool interval = false;                             ///< of a concatenation: elements are ranges, from key to key_end
  std::optional<std::chrono::seconds> timeout = {};  ///< elements go after that, unless they say otherwise
  std::optional<std::uint32_t> size = {};
  std::string comment = {};
};

struct Element {
  Data key;
  std::optional<Data> value = {};
  std::optional<Verdict> verdict = {};
  std::optional<Data> key_end = {};  ///< of an interval set: the last value of each part
  std::string comment = {};
  std::optional<std::chrono::milliseconds> timeout = {};
  std::optional<std::chrono::milliseconds> expires = {};  ///< as read back: what is left of the timeout
  bool operator==(const Element&) const = default;
};

/// An element of a set or of a map with values, for whoever has tens of thousands: views of what Data::bytes() has.
struct RawElement {
  std::span<const std::uint8_t> key;
  std::span<const std::uint8_t> value = {};    ///< of maps
  std::span<const std::uint8_t> key_end = {};  ///< of interval sets
  std::string_view comment = {};
};

}  // namespace knetsim::nft
