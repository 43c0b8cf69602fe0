#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/packet.h"

namespace knetsim {

/// The packets of one interface from the moment of construction on, for a test that waits for a certain one. Both
/// directions; a packet(7) socket, so before nftables on the way in and after it on the way out.
class Capture {
 public:
  /// Throws SystemError if the interface isn't there.
  Capture(const NetNs& ns, const std::string& interface);
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;
  ~Capture();

  using Predicate = std::function<bool(packet::Bytes)>;
  /// The first frame not yet looked at that the predicate takes; those before it are dropped. `what` names it for
  /// the StillMissing that is thrown when the budget ends, which tells what was seen instead.
  std::vector<std::uint8_t> wait_for(const Predicate& predicate, const std::string& what,
                                     std::chrono::milliseconds budget = kDefaultBudget);
  /// Whether none of the frames that have come until now, and weren't looked at yet, is taken by the predicate.
  bool saw_none(const Predicate& predicate);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// How much of the past a PacketTrace remembers: the oldest packets go first.
struct TraceLimits {
  std::size_t bytes = 8 << 20;
  std::size_t packets = 100'000;
  std::uint32_t snap_length = 512;  ///< bytes kept of each packet
};

/// Remembers the last packets of all interfaces of any number of network namespaces, also of interfaces that come
/// later, for the case that a test fails. Reads in a thread of its own; its methods may be called from any thread.
class PacketTrace {
 public:
  explicit PacketTrace(TraceLimits limits = {});
  /// Stops, and waits for the sockets' end.
  ~PacketTrace();
  PacketTrace(const PacketTrace&) = delete;
  PacketTrace& operator=(const PacketTrace&) = delete;

  /// Watches this namespace from now on; its interfaces appear as "<name>:<interface>". Not after stop().
  void add(const std::string& name, const NetNs& ns);
  /// Takes the packets that have come until now and no more. Closing a packet socket takes the kernel an RCU grace
  /// period (some 17 ms), which goes on in the background for all of them at once. A second call does nothing.
  void stop();
  /// Writes the packets that have come until now, in order of time, as pcapng (draft-ietf-opsawg-pcapng) with one
  /// interface description for each interface seen. Before or after stop().
  void save(const std::filesystem::path& path);

  struct Counts {
    std::uint64_t kept;       ///< packets in memory
    std::uint64_t forgotten;  ///< packets that had to go because of the limits
    std::uint64_t dropped;    ///< packets that the kernel lost because the reader was late
  };
  Counts counts();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
