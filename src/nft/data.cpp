#include "knetsim/nft/data.h"

#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "knetsim/sys/error.h"

namespace knetsim::nft {

namespace {

template <typename T>
std::array<std::uint8_t, sizeof(T)> native_bytes(T value) {
  std::array<std::uint8_t, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

std::string protocol_name(std::uint8_t number) {
  switch (static_cast<L4Proto>(number)) {
    case L4Proto::icmp:
      return "icmp";
    case L4Proto::tcp:
      return "tcp";
    case L4Proto::udp:
      return "udp";
    case L4Proto::icmpv6:
      return "ipv6-icmp";
    case L4Proto::sctp:
      return "sctp";
  }
  return std::to_string(number);
}

std::string part_text(Type type, std::span<const std::uint8_t> bytes) {
  switch (type) {
    case Type::ipv4_addr: {
      boost::asio::ip::address_v4::bytes_type address;
      std::copy_n(bytes.begin(), address.size(), address.begin());
      return boost::asio::ip::address_v4(address).to_string();
    }
    case Type::ipv6_addr: {
      boost::asio::ip::address_v6::bytes_type address;
      std::copy_n(bytes.begin(), address.size(), address.begin());
      return boost::asio::ip::address_v6(address).to_string();
    }
    case Type::inet_proto:
      return protocol_name(bytes[0]);
    case Type::inet_service:
      return std::to_string(bytes[0] << 8 | bytes[1]);
    case Type::ifname: {
      const auto* text = reinterpret_cast<const char*>(bytes.data());
      return fmt::format("\"{}\"", std::string_view(text, strnlen(text, bytes.size())));
    }
    default: {
      std::uint32_t number = 0;
      std::memcpy(&number, bytes.data(), sizeof number);
      return type == Type::mark ? fmt::format("{:#010x}", number) : std::to_string(number);
    }
  }
}

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

Data::Data(Type type, std::span<const std::uint8_t> bytes) : parts_{type}, bytes_(bytes.begin(), bytes.end()) {}

Data::Data(const Address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    *this = Data(Type::ipv4_addr, bytes);
  } else {
    const auto bytes = address.to_v6().to_bytes();
    *this = Data(Type::ipv6_addr, bytes);
  }
}

Data::Data(L4Proto protocol) : Data(Type::inet_proto, native_bytes(static_cast<std::uint8_t>(protocol))) {}

Data::Data(AddressType type) : Data(Type::fib_addrtype, native_bytes(static_cast<std::uint32_t>(type))) {}

Data Data::port(std::uint16_t number) {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  return Data(Type::inet_service, bytes);
}

Data Data::mark(std::uint32_t value) { return Data(Type::mark, native_bytes(value)); }

Data Data::integer(std::uint32_t value) { return Data(Type::integer, native_bytes(value)); }

Data Data::ifname(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    throw InputError(fmt::format("interface name \"{}\": must have 1 to {} characters", name, IFNAMSIZ - 1));
  std::array<std::uint8_t, IFNAMSIZ> bytes{};
  std::copy(name.begin(), name.end(), bytes.begin());
  return Data(Type::ifname, bytes);
}

Data Data::concat(std::initializer_list<Data> parts) { return concat(std::span(parts.begin(), parts.size())); }

Data Data::concat(std::span<const Data> parts) {
  if (parts.size() == 1) return parts.front();
  Data joined;
  for (const Data& part : parts) {
    const std::size_t end = joined.bytes_.size() + padded(part.bytes_.size());
    if (part.parts_.size() != 1 || end > Bytes::static_capacity || joined.parts_.size() == Parts::static_capacity) {
      throw InputError(fmt::format("nft: a concatenation of {} parts doesn't fit: at most {} simple parts of {} bytes",
                                   parts.size(), std::size_t{Parts::static_capacity},
                                   std::size_t{Bytes::static_capacity}));
    }
    joined.parts_.push_back(part.parts_.front());
    joined.bytes_.insert(joined.bytes_.end(), part.bytes_.begin(), part.bytes_.end());
    joined.bytes_.resize(end);
  }
  return joined;
}

Data Data::parse(const Types& types, std::span<const std::uint8_t> bytes) {
  if (types.empty() || types.size() > Parts::static_capacity || bytes.size() != size_of(types))
    throw InputError(fmt::format("nft: {} bytes can't be a value of type \"{}\"", bytes.size(), nft::to_string(types)));
  Data data;
  data.parts_.assign(types.begin(), types.end());
  data.bytes_.assign(bytes.begin(), bytes.end());
  return data;
}

std::string Data::to_string() const {
  std::string text;
  std::size_t offset = 0;
  for (const Type type : parts_) {
    if (!text.empty()) text += " . ";
    text += part_text(type, std::span(bytes_).subspan(offset, size_of(type)));
    offset += padded(size_of(type));
  }
  return text;
}

std::string to_string(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::accept:
      return "accept";
    case Verdict::Kind::drop:
      return "drop";
    case Verdict::Kind::return_:
      return "return";
    case Verdict::Kind::continue_:
      return "continue";
    case Verdict::Kind::jump:
      return "jump " + verdict.chain;
    case Verdict::Kind::goto_:
      return "goto " + verdict.chain;
  }
  return "?";
}

}  // namespace knetsim::nft
