#pragma once

#include "knetsim/sys/network.h"

namespace knetsim::flannel {

__extension__ using Uint128 = unsigned __int128;

/// Addresses of both families as numbers.
inline Uint128 to_number(const Address& address) {
  if (address.is_v4()) return address.to_v4().to_uint();
  Uint128 number = 0;
  for (const auto byte : address.to_v6().to_bytes()) number = number << 8 | byte;
  return number;
}

inline Address to_address(Uint128 number, bool v6) {
  if (!v6) return boost::asio::ip::address_v4(static_cast<boost::asio::ip::address_v4::uint_type>(number));
  boost::asio::ip::address_v6::bytes_type bytes;
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte, number >>= 8)
    *byte = static_cast<unsigned char>(number);
  return boost::asio::ip::address_v6(bytes);
}

/// How many addresses a network of this length has. Not for an IPv6 length of 0.
inline Uint128 size_of(unsigned prefix_length, bool v6) { return Uint128{1} << ((v6 ? 128U : 32U) - prefix_length); }

}  // namespace knetsim::flannel
