#pragma once

#include <libmnl/libmnl.h>

#include <concepts>
#include <cstdint>
#include <span>

namespace knetsim::nft {

/// One netlink attribute inside a message. libmnl's own loops are macros that aren't C++.
class Attribute {
 public:
  explicit Attribute(const nlattr* raw) noexcept : raw_(raw) {}

  const nlattr* raw() const noexcept { return raw_; }
  std::uint16_t type() const { return mnl_attr_get_type(raw_); }
  std::span<const std::uint8_t> payload() const {
    return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(raw_)), mnl_attr_get_payload_len(raw_)};
  }
  /// Bytes with header and without padding.
  std::size_t size() const { return mnl_attr_get_len(raw_); }

 private:
  const nlattr* raw_;
};

/// Calls `each` with every attribute in these bytes: a message's or, for nested ones, another attribute's payload.
template <std::invocable<Attribute> Each>
void for_each_attribute(std::span<const std::uint8_t> bytes, const Each& each) {
  const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data());
  auto left = static_cast<int>(bytes.size());
  while (mnl_attr_ok(attribute, left)) {
    each(Attribute(attribute));
    left -= static_cast<int>(MNL_ALIGN(attribute->nla_len));
    attribute = mnl_attr_next(attribute);
  }
}

/// A message's bytes after its header and `skip` more.
inline std::span<const std::uint8_t> payload_of(const nlmsghdr& message, std::size_t skip) {
  const std::size_t start = sizeof(nlmsghdr) + MNL_ALIGN(skip);
  if (message.nlmsg_len < start) return {};
  return {reinterpret_cast<const std::uint8_t*>(&message) + start, message.nlmsg_len - start};
}

}  // namespace knetsim::nft
