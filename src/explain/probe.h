#pragma once

#include <cstdint>
#include <optional>

#include "knetsim/explain/explanation.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"
#include "observed.h"

namespace knetsim::explain {

/// One packet from a real socket of the source: a TCP SYN, a UDP datagram, an ICMP echo request. Never fragmented. What
/// it opens is closed with it, without a lingering connection.
class Probe {
 public:
  /// Sends it. `length` is the IP packet's; nullopt, and for TCP: as short as it may be. What the kernel refuses is an
  /// outcome, not an error.
  Probe(const NetNs& source, Protocol protocol, const Address& to, std::uint16_t port, std::uint64_t nonce,
        std::optional<std::uint16_t> length = {});

  /// Readable, writable or in error when look() may find something new.
  FdView fd() const noexcept { return socket_; }
  short events() const noexcept;
  /// What has come of it so far.
  const Outcome& look();

  const Ends& sent() const noexcept { return sent_; }
  std::uint16_t length() const noexcept { return length_; }
  std::uint64_t nonce() const noexcept { return nonce_; }
  Protocol protocol() const noexcept { return protocol_; }

 private:
  void open();
  void connect(const Address& to, std::uint16_t port);
  void send(std::uint16_t payload);
  void settle(Outcome::Kind kind, int error);
  bool read_errors();
  bool read_answer();

  Protocol protocol_;
  bool v6_;
  std::uint64_t nonce_;
  std::uint16_t echo_id_;
  Fd socket_;
  Ends sent_;
  std::uint16_t length_ = 0;
  Outcome outcome_;
};

}  // namespace knetsim::explain
