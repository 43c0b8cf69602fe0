#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/nft/data.h"
#include "knetsim/nft/statement.h"
#include "knetsim/nft/types.h"
#include "knetsim/nft/value.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim::nft {

/// `meta nftrace set 1`: from here on the kernel tells what every rule does with the packet, in this namespace.
Statement set_nftrace();

namespace th {
/// Four bytes behind the start of the transport header, as they stand in the packet: `@th,OFFSET,32`, the offset in
/// bytes. What is beyond the packet's end matches nothing.
Value word(std::uint32_t offset);
}  // namespace th

/// Of four bytes as they stand in a packet, for comparing them with th::word().
Data word(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
/// `value & mask != 0`, of th::word().
Statement any_bits(const Value& word, const Data& mask);

/// What a rule, or the end of a chain, did with a packet that is traced.
struct TraceEvent {
  enum class Kind { rule, end, policy };  ///< a rule; the end of a chain; a base chain's policy
  Kind kind = Kind::rule;
  ChainId chain;
  std::uint64_t handle = 0;  ///< of the rule
  Verdict verdict;
  std::uint32_t id = 0;  ///< the same for events of one packet on its way through the namespace, mostly
  int in = 0;            ///< index of the link, 0: none
  int out = 0;
  /// The first bytes of the headers: only in a packet's first event in each base chain.
  std::vector<std::uint8_t> network = {};
  std::vector<std::uint8_t> transport = {};
};

/// Hears of traced packets in one namespace, from construction on (NFNLGRP_NFTRACE). Move-only, not thread-safe.
class TraceMonitor {
 public:
  explicit TraceMonitor(const NetNs& ns);

  /// Non-blocking; readable when read() has something.
  FdView fd() const noexcept { return fd_; }
  /// What has come since the last call, in the kernel's order.
  std::vector<TraceEvent> read();
  /// Whether the kernel had to drop events that weren't read fast enough.
  bool lost_some() const noexcept { return lost_; }
  /// Gives up the descriptor, for whoever closes it elsewhere.
  Fd release() noexcept { return std::move(fd_); }

 private:
  Fd fd_;
  std::vector<char> buffer_;
  bool lost_ = false;
};

}  // namespace knetsim::nft
