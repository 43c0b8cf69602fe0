#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim::nft {

/// A table's family; the numbers are the kernel's NFPROTO_*.
enum class Family : std::uint8_t { inet = 1, ip = 2, ip6 = 10 };

/// The data types of nft(8) that this layer speaks; the numbers are those that `nft` itself stores in a set.
enum class Type : std::uint32_t {
  integer = 4,
  ipv4_addr = 7,
  ipv6_addr = 8,
  inet_proto = 12,
  inet_service = 13,
  mark = 19,
  ct_state = 26,
  ct_status = 28,
  fib_addrtype = 38,
  ifname = 41,
};

/// One type, or several for a concatenation.
using Types = std::vector<Type>;

/// "ip", "ip6", "inet"
std::string_view to_string(Family family);
/// "ipv4_addr"
std::string_view to_string(Type type);
/// "ipv4_addr . inet_proto"
std::string to_string(const Types& types);

/// Bytes of one value, without padding.
std::size_t size_of(Type type);
/// Bytes of a value in registers and set keys: a part of a concatenation fills whole 4-byte words.
std::size_t size_of(const Types& types);
/// The address type of ip or ip6.
Type address_type(Family family);
/// True for numbers in host byte order (integer, mark, ct state...); all else is in network order.
bool in_host_order(Type type);

/// The table `name` of `family`: where everything else lives.
struct TableId {
  Family family = Family::ip;
  std::string name;
  bool operator==(const TableId&) const = default;
};

/// A set, map or verdict map of a table.
struct SetId {
  TableId table;
  std::string name;
  bool operator==(const SetId&) const = default;
};

struct ChainId {
  TableId table;
  std::string name;
  bool operator==(const ChainId&) const = default;
};

/// A rule that the kernel holds, by the handle it was given.
struct RuleId {
  ChainId chain;
  std::uint64_t handle = 0;
  bool operator==(const RuleId&) const = default;
};

}  // namespace knetsim::nft
