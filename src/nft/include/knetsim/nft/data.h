#pragma once

#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "knetsim/nft/types.h"
#include "knetsim/sys/network.h"

namespace knetsim::nft {

/// IPPROTO_*; any other number may be cast.
enum class L4Proto : std::uint8_t { icmp = 1, tcp = 6, udp = 17, icmpv6 = 58, sctp = 132 };

/// The bits of `ct state` and `ct status`, as linux/netfilter/nf_conntrack_common.h has them.
enum class CtState : std::uint32_t { invalid = 1, established = 2, related = 4, new_ = 8, untracked = 64 };
enum class CtStatus : std::uint32_t { expected = 1, seen_reply = 2, assured = 4, confirmed = 8, snat = 16, dnat = 32 };
/// `fib daddr type`: RTN_* of linux/rtnetlink.h.
enum class AddressType : std::uint32_t { unicast = 1, local = 2, broadcast = 3, multicast = 5, blackhole = 6 };

/// A constant of a known type, as the kernel wants it in a register or a set key; a concatenation has several parts.
class Data {
 public:
  using Bytes = boost::container::static_vector<std::uint8_t, 64>;  // NFT_DATA_VALUE_MAXLEN
  using Parts = boost::container::static_vector<Type, 8>;

  // Constants are written where nft(8) has them: `ip::daddr() == address`.
  Data(const Address& address);  // NOLINT(google-explicit-constructor)
  Data(L4Proto protocol);        // NOLINT(google-explicit-constructor)
  Data(AddressType type);        // NOLINT(google-explicit-constructor)
  static Data port(std::uint16_t number);
  static Data mark(std::uint32_t value);
  static Data integer(std::uint32_t value);
  /// A whole interface name; throws InputError if it is longer than 15 characters.
  static Data ifname(std::string_view name);
  /// The parts one after another; throws InputError when they exceed the kernel's 64 bytes.
  static Data concat(std::initializer_list<Data> parts);
  static Data concat(std::span<const Data> parts);
  /// What the kernel sent for a key or value of these types; throws InputError if the length doesn't fit them.
  static Data parse(const Types& types, std::span<const std::uint8_t> bytes);

  Types types() const { return {parts_.begin(), parts_.end()}; }
  const Parts& parts() const noexcept { return parts_; }
  /// Big-endian or host order by type; each part of a concatenation padded to 4 bytes.
  const Bytes& bytes() const noexcept { return bytes_; }
  /// "10.96.0.1 . tcp . 80"
  std::string to_string() const;

  bool operator==(const Data&) const = default;

 private:
  Data() = default;
  Data(Type type, std::span<const std::uint8_t> bytes);

  Parts parts_;
  Bytes bytes_;
};

/// What happens to the packet: accept, drop, return, continue, jump or goto a chain.
struct Verdict {
  enum class Kind : std::int32_t { continue_ = -1, jump = -3, goto_ = -4, return_ = -5, drop = 0, accept = 1 };
  Kind kind = Kind::accept;
  std::string chain = {};  ///< for jump and goto_

  bool operator==(const Verdict&) const = default;
};

/// "accept", "goto lb-3"
std::string to_string(const Verdict& verdict);

}  // namespace knetsim::nft
