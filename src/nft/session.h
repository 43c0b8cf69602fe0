#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim::nft {

/// The kernel's word on one message that it refused.
struct Refusal {
  std::uint32_t sequence = 0;
  int error = 0;                        ///< errno
  std::string text;                     ///< extack, often empty
  std::optional<std::uint32_t> offset;  ///< of the attribute at fault, in the message sent
};

/// A netfilter netlink socket in one namespace.
class Session {
 public:
  explicit Session(const NetNs& netns);

  /// Sends messages that the kernel handles as one; its last must ask for an acknowledgement. Returns the refusals, in
  /// the order sent. Throws nft::Error if they can't be sent at all.
  std::vector<Refusal> send(std::span<const std::uint8_t> messages);

  /// Sends one dump or get request and calls `each` with every message of the answer. Returns 0, or the errno of the
  /// kernel's refusal (EINTR: a commit came in between, ask again).
  int request(std::span<const std::uint8_t> message, const std::function<void(const nlmsghdr&)>& each);

  /// The number of the ruleset's present generation: every commit makes a new one.
  std::uint32_t generation();

 private:
  void make_room(std::size_t size);

  Fd socket_;
};

}  // namespace knetsim::nft
