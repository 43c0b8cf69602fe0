#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "knetsim/sys/packet.h"

namespace knetsim {

/// Builds a pcapng file (draft-ietf-opsawg-pcapng) of Ethernet frames in memory, block by block, in this machine's
/// byte order. All interfaces share one snap length: libpcap reads no other files.
class PcapngFile {
 public:
  explicit PcapngFile(std::string_view application);

  void add_interface(std::string_view name, std::uint32_t snap_length);
  /// `interface` counts the added ones from 0. `flags` is the draft's epb_flags: direction and kind of reception.
  void add_packet(std::uint32_t interface, std::chrono::nanoseconds time, std::uint32_t flags,
                  std::uint32_t original_length, packet::Bytes bytes);
  /// Packets seen on the interface, and those that the operating system dropped, where known.
  void add_statistics(std::uint32_t interface, std::chrono::nanoseconds time, std::uint64_t received,
                      std::optional<std::uint64_t> dropped);

  const std::string& content() const noexcept { return content_; }

 private:
  class Block;
  std::string content_;
};

/// Values of epb_flags.
inline constexpr std::uint32_t kInbound = 1;
inline constexpr std::uint32_t kOutbound = 2;
inline constexpr std::uint32_t kUnicast = 1 << 2;
inline constexpr std::uint32_t kMulticast = 2 << 2;
inline constexpr std::uint32_t kBroadcast = 3 << 2;
inline constexpr std::uint32_t kPromiscuous = 4 << 2;

}  // namespace knetsim
