#include "attributes.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "knetsim/netlink/error.h"

namespace knetsim::netlink {

void throw_malformed(const std::string& what) {
  throw Error(EBADMSG, {.tried = "read a netlink message", .answer = what});
}

Address read_address(std::span<const char> octets) {
  namespace ip = boost::asio::ip;
  if (octets.size() == 4) {
    ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), octets.data(), bytes.size());
    return ip::address_v4(bytes);
  }
  if (octets.size() == 16) {
    ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), octets.data(), bytes.size());
    return ip::address_v6(bytes);
  }
  throw_malformed(fmt::format("an address of {} octets", octets.size()));
}

Attributes::Attributes(std::span<const char> bytes, int max) : table_(static_cast<std::size_t>(max) + 1) {
  auto* head = reinterpret_cast<nlattr*>(const_cast<char*>(bytes.data()));
  if (nla_parse(table_.data(), max, head, static_cast<int>(bytes.size()), nullptr) < 0)
    throw_malformed("attributes can't be parsed");
}

namespace {
std::span<const char> after_header(const nlmsghdr* message, std::size_t header_size) {
  const int header = static_cast<int>(header_size);
  if (!nlmsg_valid_hdr(const_cast<nlmsghdr*>(message), header)) throw_malformed("a header is cut off");
  // A message that ends with the header's last byte may lack the padding after it.
  const int length = std::max(0, nlmsg_attrlen(message, header));
  return {reinterpret_cast<const char*>(nlmsg_attrdata(message, header)), static_cast<std::size_t>(length)};
}
}  // namespace

Attributes::Attributes(const nlmsghdr* message, std::size_t header_size, int max)
    : Attributes(after_header(message, header_size), max) {}

const nlattr* Attributes::find(int type) const {
  return type >= 0 && static_cast<std::size_t>(type) < table_.size() ? table_[static_cast<std::size_t>(type)] : nullptr;
}

std::optional<std::span<const char>> Attributes::bytes(int type) const {
  const nlattr* attribute = find(type);
  if (!attribute) return std::nullopt;
  return std::span(static_cast<const char*>(nla_data(attribute)), static_cast<std::size_t>(nla_len(attribute)));
}

template <typename T>
std::optional<T> Attributes::number(int type) const {
  const auto octets = bytes(type);
  if (!octets) return std::nullopt;
  if (octets->size() < sizeof(T)) throw_malformed(fmt::format("attribute {} has {} bytes", type, octets->size()));
  T value;
  std::memcpy(&value, octets->data(), sizeof value);
  return value;
}

std::optional<std::uint8_t> Attributes::u8(int type) const { return number<std::uint8_t>(type); }
std::optional<std::uint16_t> Attributes::u16(int type) const { return number<std::uint16_t>(type); }
std::optional<std::uint32_t> Attributes::u32(int type) const { return number<std::uint32_t>(type); }

std::optional<std::uint16_t> Attributes::be16(int type) const {
  const auto value = u16(type);
  return value ? std::optional(ntohs(*value)) : std::nullopt;
}

std::optional<std::string> Attributes::string(int type) const {
  const auto octets = bytes(type);
  if (!octets) return std::nullopt;
  return std::string(octets->begin(), std::find(octets->begin(), octets->end(), '\0'));
}

std::optional<Mac> Attributes::mac(int type) const {
  const auto octets = bytes(type);
  Mac value;
  if (!octets || octets->size() != value.bytes.size()) return std::nullopt;
  std::memcpy(value.bytes.data(), octets->data(), value.bytes.size());
  return value;
}

std::optional<Address> Attributes::address(int type) const {
  const auto octets = bytes(type);
  return octets ? std::optional(read_address(*octets)) : std::nullopt;
}

std::optional<Attributes> Attributes::nested(int type, int max) const {
  const auto octets = bytes(type);
  return octets ? std::optional(Attributes(*octets, max)) : std::nullopt;
}

}  // namespace knetsim::netlink
