#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace knetsim::netlink {

/// An Ethernet address (EUI-48), in the order of the wire.
struct Mac {
  std::array<std::uint8_t, 6> bytes{};

  auto operator<=>(const Mac&) const = default;  // NOLINT(modernize-use-nullptr): that of clang-tidy 14 sees a 0 here
};

/// Parses "0a:1b:2c:3d:4e:5f" (either case); throws InputError naming the text.
Mac parse_mac(std::string_view text);
/// "0a:1b:2c:3d:4e:5f"
std::string to_string(const Mac& mac);
/// Unicast and locally administered (IEEE 802c), the other 46 bits from getrandom(2).
Mac random_mac();

}  // namespace knetsim::netlink
