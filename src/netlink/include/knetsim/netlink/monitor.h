#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim::netlink {

/// What a Monitor listens to; join them with |.
enum class Groups : unsigned { links = 1, addresses = 2, routes = 4, neighbours = 8 };
constexpr Groups operator|(Groups a, Groups b) {
  return static_cast<Groups>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool operator&(Groups a, Groups b) { return (static_cast<unsigned>(a) & static_cast<unsigned>(b)) != 0; }

/// The kernel dropped notifications because they weren't read fast enough (ENOBUFS): look at everything again.
struct Resync {};

struct Event {
  bool removed = false;  ///< false: it is new, or has changed
  /// Neighbour notifications come as Neighbour (ARP, NDP) or FdbEntry (bridge, vxlan).
  std::variant<Link, InterfaceAddress, Route, Neighbour, FdbEntry, Resync> object;
};

/// Notifications of one namespace, from construction on. Move-only, not thread-safe.
class Monitor {
 public:
  /// `receive_buffer` (bytes) is how much may wait unread before the kernel drops, and Resync comes.
  Monitor(const NetNs& ns, Groups groups, int receive_buffer = 4 << 20);

  /// Non-blocking; readable when read() has something. For poll(2) or Asio's posix::stream_descriptor (which must be
  /// given a dup, or release() it again).
  FdView fd() const noexcept { return fd_; }
  /// What has come since the last call, perhaps nothing. Never blocks.
  std::vector<Event> read();
  /// Blocks until something comes; empty when the time is over.
  std::vector<Event> wait(std::chrono::milliseconds budget);

 private:
  Fd fd_;
  std::vector<char> buffer_;
};

/// Tells that somebody has taken something out of one namespace's packet filter (nftables: a table, chain, rule, set or
/// element), from construction on. Move-only, not thread-safe.
class RulesetMonitor {
 public:
  /// `table`: of tables with that name alone; empty: of all. `except`: the name of processes whose changes don't count,
  /// as the kernel keeps it (15 characters, comm in proc(5)).
  explicit RulesetMonitor(const NetNs& ns, std::string table = {}, std::string except = {});

  /// Non-blocking; readable when read() has something.
  FdView fd() const noexcept { return fd_; }
  /// Whether that has happened since the last call, or may have: the kernel drops what isn't read fast enough.
  bool read();

 private:
  bool concerns_us(const nlmsghdr& message) const;

  Fd fd_;
  std::string table_;
  std::string except_;
  bool taken_ = false;  ///< in the change that isn't told to its end
  std::vector<char> buffer_;
};

/// Each subscribes, looks, then waits for notifications; nothing is polled. When the budget ends: StillMissing, with
/// what came closest.
using LinkPredicate = std::function<bool(const Link&)>;
using RoutePredicate = std::function<bool(const Route&)>;

/// Until the link is there and `predicate` (empty: nothing more) holds of it.
Link wait_for_link(const NetNs& ns, const std::string& name, const LinkPredicate& predicate = {},
                   std::chrono::milliseconds budget = kDefaultBudget);
/// Until there is no link of that name.
void wait_for_link_gone(const NetNs& ns, const std::string& name, std::chrono::milliseconds budget = kDefaultBudget);
/// Until the interface has the address, ready for use (not tentative).
InterfaceAddress wait_for_address(const NetNs& ns, const std::string& interface, const Address& address,
                                  std::chrono::milliseconds budget = kDefaultBudget);
/// Until the main table has a route to exactly `destination` of which `predicate` holds.
Route wait_for_route(const NetNs& ns, const Network& destination, const RoutePredicate& predicate = {},
                     std::chrono::milliseconds budget = kDefaultBudget);

}  // namespace knetsim::netlink
