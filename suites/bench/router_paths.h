#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "knetsim/parts/launcher.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/process.h"

namespace knetsim::bench {

/// Two machines on a cable: the service's, 10.9.0.1, and the client's, 10.9.0.2.
struct Machines {
  NetNs server;
  NetNs client;
  static Machines make();
};

inline constexpr std::uint16_t kServicePort = 8080;   ///< at the server
inline constexpr std::uint16_t kEntrancePort = 1028;  ///< at the client, where there is something between

/// What stands between client and service. Ends with its owner.
class Path {
 public:
  static Path direct();
  /// Two socat with buffers of 256 KiB.
  static Path relays(const Machines& machines);
  /// Two routers, client's side to service's side.
  static Path routers(const Machines& machines, const parts::Program& program, bool tls);

  std::string address() const { return direct_ ? "10.9.0.1" : "127.0.0.1"; }
  std::uint16_t port() const { return direct_ ? kServicePort : kEntrancePort; }
  /// Resident memory of the service's side and of the client's side, KiB; of routers only.
  std::deque<double> memory_kib() const;

 private:
  bool direct_ = false;
  bool routers_ = false;
  std::deque<Process> processes_;
};

}  // namespace knetsim::bench
