#include "knetsim/sys/network.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <charconv>
#include <optional>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim {

namespace ip = boost::asio::ip;

namespace {
// Asio reads up to the first NUL and would take "10.0.0.1\0junk" for an address.
std::optional<Address> read_address(std::string_view text) {
  boost::system::error_code error;
  const auto address = ip::make_address(text, error);
  if (error || text.find('\0') != std::string_view::npos) return std::nullopt;
  return address;
}
}  // namespace

Address parse_address(std::string_view text) {
  if (const auto address = read_address(text)) return *address;
  throw InputError(fmt::format("{} isn't an IP address\n  remedy: write it like 10.0.0.1 or fd00::1",
                               json_excerpt(std::string(text))));
}

Network parse_network(std::string_view text) {
  const auto refuse = [&](std::string_view why) -> InputError {
    return InputError(fmt::format("{} isn't a network: {}\n  remedy: write it like 10.0.0.0/8 or fd00::/64",
                                  json_excerpt(std::string(text)), why));
  };
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) throw refuse("no prefix length");
  const auto address = read_address(text.substr(0, slash));
  if (!address) throw refuse("no IP address before the slash");
  const auto digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (code != std::errc{} || end != digits.data() + digits.size()) throw refuse("the prefix length isn't a number");
  if (length > (address->is_v6() ? 128U : 32U)) throw refuse("the prefix is longer than the address");
  return make_network(*address, length);
}

Network make_network(const Address& address, unsigned prefix_length) {
  if (address.is_v6()) return ip::network_v6(address.to_v6(), static_cast<unsigned short>(prefix_length));
  return ip::network_v4(address.to_v4(), static_cast<unsigned short>(prefix_length));
}

Network host_network(const Address& address) { return make_network(address, address.is_v6() ? 128 : 32); }

Address address_of(const Network& network) {
  return std::visit([](const auto& n) { return Address(n.address()); }, network);
}

unsigned prefix_length(const Network& network) {
  return std::visit([](const auto& n) { return static_cast<unsigned>(n.prefix_length()); }, network);
}

Network canonical(const Network& network) {
  return std::visit([](const auto& n) { return Network(n.canonical()); }, network);
}

Network gateway_of(const Network& subnet) {
  return make_network(advance(address_of(canonical(subnet)), 1), prefix_length(subnet));
}

bool contains(const Network& network, const Address& address) {
  if (is_v6(network) != address.is_v6()) return false;
  return canonical(make_network(address, prefix_length(network))) == canonical(network);
}

bool contains(const Network& outer, const Network& inner) {
  return prefix_length(outer) <= prefix_length(inner) && contains(outer, address_of(inner));
}

bool overlaps(const Network& a, const Network& b) { return contains(a, b) || contains(b, a); }

bool is_v6(const Network& network) { return std::holds_alternative<ip::network_v6>(network); }

int family(const Address& address) { return address.is_v6() ? AF_INET6 : AF_INET; }
int family(const Network& network) { return is_v6(network) ? AF_INET6 : AF_INET; }

Address advance(const Address& base, std::uint64_t offset) {
  const auto past_the_end = [&] {
    return InputError(fmt::format("there is no address {} after {}", offset, base.to_string()));
  };
  if (base.is_v4()) {
    const std::uint64_t sum = base.to_v4().to_uint() + offset;
    if (offset > UINT32_MAX || sum > UINT32_MAX) throw past_the_end();
    return ip::address_v4(static_cast<std::uint32_t>(sum));
  }
  auto bytes = base.to_v6().to_bytes();
  for (std::size_t i = bytes.size(); i-- > 0 && offset > 0;) {
    const std::uint64_t sum = bytes[i] + (offset & 0xff);
    bytes[i] = static_cast<unsigned char>(sum);
    offset = (offset >> 8) + (sum >> 8);
  }
  if (offset > 0) throw past_the_end();
  return ip::address_v6(bytes);
}

std::string to_string(const Network& network) {
  return std::visit([](const auto& n) { return n.to_string(); }, network);
}

}  // namespace knetsim
