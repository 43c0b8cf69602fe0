#include "knetsim/netlink/mac.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <charconv>

#include "knetsim/sys/error.h"

namespace knetsim::netlink {

Mac parse_mac(std::string_view text) {
  const auto refuse = [&] {
    return InputError(fmt::format("\"{}\" isn't an Ethernet address; write it like 0a:1b:2c:3d:4e:5f", text));
  };
  Mac mac;
  if (text.size() != mac.bytes.size() * 3 - 1) throw refuse();
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    if (i > 0 && text[i * 3 - 1] != ':') throw refuse();
    const char* digits = text.data() + i * 3;
    const auto [end, code] = std::from_chars(digits, digits + 2, mac.bytes[i], 16);
    if (code != std::errc{} || end != digits + 2) throw refuse();
  }
  return mac;
}

std::string to_string(const Mac& mac) { return fmt::format("{:02x}", fmt::join(mac.bytes, ":")); }

Mac random_mac() {
  Mac mac;
  if (::getrandom(mac.bytes.data(), mac.bytes.size(), 0) != static_cast<ssize_t>(mac.bytes.size()))
    throw SystemError("get random bytes for an Ethernet address");
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfe) | 0x02);
  return mac;
}

}  // namespace knetsim::netlink
