#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

// A Network is no type of this namespace, so that ours would hide the one that writes it.
using knetsim::to_string;

/// An address to give to an interface. Its host bits are the address, its prefix makes the connected route.
struct AddressSpec {
  Network address;
  std::optional<Address> broadcast = {};  ///< IPv4 only
  std::optional<unsigned> scope = {};     ///< RT_SCOPE_*; default: host for loopback addresses, else universe
  bool nodad = true;                      ///< IPv6: usable at once, without duplicate address detection (RFC 4862)
  bool prefix_route = true;               ///< false: no connected route
};

/// An address as the kernel tells it.
struct InterfaceAddress {
  int interface = 0;
  Network address;
  std::optional<Address> broadcast = {};
  std::optional<Address> peer = {};  ///< of a point-to-point address
  unsigned scope = 0;                ///< RT_SCOPE_*
  unsigned flags = 0;                ///< IFA_F_*
  std::string label = {};            ///< IPv4 only

  bool tentative() const;  ///< duplicate address detection is still going on: it can't be bound yet
};

/// "10.0.0.3/8 on 7 scope global"
std::string to_string(const InterfaceAddress& address);

/// Throws Error (EEXIST) if it is there already.
void add_address(Socket& socket, int interface, const AddressSpec& spec);
/// There already is no error.
void replace_address(Socket& socket, int interface, const AddressSpec& spec);
/// Absent (also the link) is no error.
void delete_address(Socket& socket, int interface, const Network& address);
/// Of one interface (0: of all), of one family (AF_UNSPEC: both).
std::vector<InterfaceAddress> list_addresses(Socket& socket, int interface = 0, int family = 0);

}  // namespace knetsim::netlink
