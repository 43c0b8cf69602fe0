#pragma once

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "knetsim/netlink/mac.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

/// The attributes of a received message, or of one nested in another; borrows its bytes. Whoever reads checks no
/// length: an attribute too short for what is asked of it throws Error (EBADMSG), one that isn't there is nullopt.
class Attributes {
 public:
  /// Those up to type `max` that follow a fixed header of `header_size`; throws if the message is too short for it.
  Attributes(const nlmsghdr* message, std::size_t header_size, int max);
  Attributes(std::span<const char> bytes, int max);

  bool has(int type) const { return find(type) != nullptr; }
  std::optional<std::uint8_t> u8(int type) const;
  std::optional<std::uint16_t> u16(int type) const;
  std::optional<std::uint32_t> u32(int type) const;
  std::optional<std::uint16_t> be16(int type) const;
  /// Up to the first NUL, if there is one.
  std::optional<std::string> string(int type) const;
  /// nullopt also for link-layer addresses of other lengths (ip6tnl, loopback of tun).
  std::optional<Mac> mac(int type) const;
  /// Of the family that its length tells.
  std::optional<Address> address(int type) const;
  std::optional<std::span<const char>> bytes(int type) const;
  std::optional<Attributes> nested(int type, int max) const;

 private:
  const nlattr* find(int type) const;
  template <typename T>
  std::optional<T> number(int type) const;

  std::vector<nlattr*> table_;
};

/// An address of 4 or 16 octets; throws Error (EBADMSG) for any other count.
Address read_address(std::span<const char> octets);

/// The fixed header of a message; throws Error (EBADMSG) if the message is too short for it.
template <typename Header>
const Header& header_of(const nlmsghdr* message);

[[noreturn]] void throw_malformed(const std::string& what);

template <typename Header>
const Header& header_of(const nlmsghdr* message) {
  if (!nlmsg_valid_hdr(const_cast<nlmsghdr*>(message), sizeof(Header))) throw_malformed("a header is cut off");
  return *static_cast<const Header*>(nlmsg_data(message));
}

}  // namespace knetsim::netlink
