#include "message.h"

#include <arpa/inet.h>

#include <cerrno>
#include <new>

#include "knetsim/netlink/error.h"

namespace knetsim::netlink {

namespace {
void check(bool fits) {
  if (!fits) throw Error(EMSGSIZE, {.tried = "build a netlink request"});
}
}  // namespace

Message::Message(int type, int flags) : raw_(nlmsg_alloc_simple(type, flags | NLM_F_REQUEST)) {
  if (!raw_) throw std::bad_alloc();
}

void Message::append(const void* data, std::size_t size) {
  check(nlmsg_append(raw_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) == 0);
}

nlattr* Message::begin(int type) {
  nlattr* start = nla_nest_start(raw_.get(), type);
  check(start != nullptr);
  return start;
}

Message& Message::bytes(int type, const void* data, std::size_t size) {
  check(nla_put(raw_.get(), type, static_cast<int>(size), data) == 0);
  return *this;
}

Message& Message::flag(int type) { return bytes(type, nullptr, 0); }
Message& Message::u8(int type, std::uint8_t value) { return bytes(type, &value, sizeof value); }
Message& Message::u16(int type, std::uint16_t value) { return bytes(type, &value, sizeof value); }
Message& Message::u32(int type, std::uint32_t value) { return bytes(type, &value, sizeof value); }
Message& Message::be16(int type, std::uint16_t value) { return u16(type, htons(value)); }

Message& Message::string(int type, std::string_view value) {
  // The kernel takes strings without their NUL; a name of the greatest length then fits its policy too.
  return bytes(type, value.data(), value.size());
}

Message& Message::mac(int type, const Mac& value) { return bytes(type, value.bytes.data(), value.bytes.size()); }

Message& Message::address(int type, const Address& value) {
  if (value.is_v6()) {
    const auto octets = value.to_v6().to_bytes();
    return bytes(type, octets.data(), octets.size());
  }
  const auto octets = value.to_v4().to_bytes();
  return bytes(type, octets.data(), octets.size());
}

}  // namespace knetsim::netlink
