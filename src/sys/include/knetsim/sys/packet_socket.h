#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/packet.h"

namespace knetsim {

/// A packet as the kernel shows it; valid until the next receive().
struct ReceivedPacket {
  std::chrono::nanoseconds time;  ///< since 1970
  int interface;
  std::uint8_t kind;  ///< PACKET_HOST, PACKET_OUTGOING ... of packet(7)
  std::uint32_t original_length;
  packet::Bytes bytes;  ///< an Ethernet frame, cut to the snap length
};

/// A packet(7) socket that sees both directions of one interface, or of all of its namespace's.
class PacketSocket {
 public:
  /// An empty name means all interfaces. `snap_length` bytes of each frame are read.
  PacketSocket(const NetNs& ns, const std::string& interface, std::uint32_t snap_length);

  /// The next packet; nullopt when there is none now.
  std::optional<ReceivedPacket> receive();
  /// Packets that the kernel had to drop since the socket was made.
  std::uint64_t dropped();
  /// "eth0"; "#7" when it is gone already.
  std::string interface_name(int index) const;
  FdView fd() const noexcept { return socket_; }
  /// Gives up the descriptor: closing it blocks for an RCU grace period, so callers choose where.
  Fd release() { return std::move(socket_); }

 private:
  Fd socket_;
  std::vector<std::uint8_t> buffer_;
  std::uint64_t dropped_ = 0;
};

}  // namespace knetsim
