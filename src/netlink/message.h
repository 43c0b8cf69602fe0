#pragma once

#include <netlink/msg.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "knetsim/netlink/mac.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

/// A request being built: the one owner of an nl_msg. Everything is copied into it.
class Message {
 public:
  /// NLM_F_REQUEST is added to `flags`.
  Message(int type, int flags);

  /// The fixed header of the family (ifinfomsg, rtmsg, ...), or one within a nest.
  template <typename Header>
  Message& header(const Header& header) {
    append(&header, sizeof header);
    return *this;
  }
  Message& flag(int type);
  Message& u8(int type, std::uint8_t value);
  Message& u16(int type, std::uint16_t value);
  Message& u32(int type, std::uint32_t value);
  /// In the order of the wire, as ports are told.
  Message& be16(int type, std::uint16_t value);
  Message& string(int type, std::string_view value);
  Message& mac(int type, const Mac& value);
  Message& address(int type, const Address& value);
  Message& bytes(int type, const void* data, std::size_t size);

  /// Calls `fill` between the begin and the end of a nested attribute.
  template <typename Fill>
  Message& nest(int type, Fill&& fill) {
    nlattr* start = begin(type);
    fill();
    nla_nest_end(raw_.get(), start);
    return *this;
  }

  /// As Channel takes it.
  operator const nlmsghdr&() const noexcept { return *raw(); }  // NOLINT(google-explicit-constructor)
  nlmsghdr* raw() const noexcept { return nlmsg_hdr(raw_.get()); }
  nl_msg* get() const noexcept { return raw_.get(); }

 private:
  struct Free {
    void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
  };

  void append(const void* data, std::size_t size);
  nlattr* begin(int type);

  std::unique_ptr<nl_msg, Free> raw_;
};

}  // namespace knetsim::netlink
