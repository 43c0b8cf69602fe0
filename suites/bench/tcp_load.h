#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"

namespace knetsim::bench {

/// Echoes what its TCP connections send, in a namespace, by one thread. Ends with its owner.
class EchoThread {
 public:
  EchoThread(const NetNs& netns, std::uint16_t port);
  ~EchoThread();
  EchoThread(const EchoThread&) = delete;
  EchoThread& operator=(const EchoThread&) = delete;

 private:
  void run();

  Fd listening_;
  Fd epoll_;
  Fd end_;  ///< eventfd(2): readable when it is to end
  std::thread thread_;
};

/// In seconds.
struct RoundTrips {
  double p50 = 0;
  double p99 = 0;
};
/// So many bytes to an echo and back on one connection, `count` times, after a tenth of that to warm up.
RoundTrips round_trips(const NetNs& netns, const Address& address, std::uint16_t port, std::size_t bytes, int count);

/// From one client, one after the other: connect, a byte there and back, close; until `count` or the time is reached.
/// Returns connections a second.
double connections_per_second(const NetNs& netns, const Address& address, std::uint16_t port, int count,
                              std::chrono::seconds limit);

}  // namespace knetsim::bench
