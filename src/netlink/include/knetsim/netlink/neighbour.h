#pragma once

#include <linux/neighbour.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/netlink/mac.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/network.h"

namespace knetsim::netlink {

/// An entry of the ARP or NDP table.
struct Neighbour {
  int interface = 0;
  Address address;
  std::optional<Mac> mac = {};          ///< unset while it is being resolved or has failed
  std::uint16_t state = NUD_PERMANENT;  ///< NUD_*
  std::uint8_t flags = 0;               ///< NTF_*

  bool permanent() const { return (state & NUD_PERMANENT) != 0; }
};

/// "11.20.0.0 dev 7 lladdr 0a:... PERMANENT"
std::string to_string(const Neighbour& neighbour);

/// Adds a permanent entry, or takes the place of the one that is there.
void replace_neighbour(Socket& socket, int interface, const Address& address, const Mac& mac);
void replace_neighbour(Socket& socket, const Neighbour& neighbour);
/// Absent (also the link) is no error.
void delete_neighbour(Socket& socket, int interface, const Address& address);
/// Of one family (AF_UNSPEC: both), of one interface (0: of all).
std::vector<Neighbour> list_neighbours(Socket& socket, int family = 0, int interface = 0);

/// An entry of a bridge's or vxlan link's forwarding database, as in bridge(8).
struct FdbEntry {
  int interface = 0;
  Mac mac;
  std::optional<Address> destination = {};  ///< vxlan: the remote VTEP's underlay address
  int master = 0;                           ///< the bridge, for entries of a port
  std::uint16_t vlan = 0;
  std::uint16_t state = NUD_PERMANENT;
  std::uint8_t flags = 0;  ///< NTF_SELF, NTF_MASTER, ...
};

/// "0a:... dev 7 dst 10.0.0.4"
std::string to_string(const FdbEntry& entry);

/// On a vxlan link (NTF_SELF, permanent): frames to `mac` go to VTEP `destination` alone, instead of the one before.
void replace_fdb(Socket& socket, int interface, const Mac& mac, const Address& destination);
/// Of one destination, or of all. Absent (also the link) is no error.
void delete_fdb(Socket& socket, int interface, const Mac& mac, const std::optional<Address>& destination = {});
/// Of one interface (0: of all).
std::vector<FdbEntry> list_fdb(Socket& socket, int interface = 0);

}  // namespace knetsim::netlink
