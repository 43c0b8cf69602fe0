#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/nft/trace.h"
#include "knetsim/sys/netns.h"
#include "knetsim/sys/packet_socket.h"
#include "observed.h"
#include "probe.h"

namespace knetsim::explain {

/// A namespace that is looked into. Borrowed.
struct Place {
  std::string name;
  const NetNs* netns = nullptr;
};

/// A witness that says nothing, or something else than what it saw: to prove that it is noticed.
struct Tampering {
  bool deaf_sockets = false;                   ///< no packet is seen
  bool deaf_trace = false;                     ///< no rule is heard of
  std::function<void(Passage&)> passage = {};  ///< changes what nftrace says
  std::function<void(AllFacts&)> facts = {};   ///< changes what tables and counters say
};

/// Packet sockets on all links and `meta nftrace` in all of these namespaces, for as long as it lives. The rules that
/// switch tracing on are in a table of its own ("inet knetsim-explain-<nonce>"), which goes with it.
class Witnesses {
 public:
  /// Listens to probes of this protocol whose nonces have `nonce` as their upper half. What can't be had (no right, no
  /// kernel support) is told by absent().
  Witnesses(const std::vector<Place>& places, Protocol protocol, bool v6, std::uint32_t nonce,
            std::vector<std::uint16_t> vxlan_ports, Tampering tampering = {});
  ~Witnesses();
  Witnesses(const Witnesses&) = delete;
  Witnesses& operator=(const Witnesses&) = delete;

  /// Watches these namespaces, too.
  void add(const std::vector<Place>& places);

  /// Waits until the probe's fate is settled and nothing more is seen of it, or nothing has been seen for `quiet`; at
  /// most for `longest`. `stop` is asked in between.
  Attempt watch(Probe& probe, const std::string& source, std::chrono::milliseconds quiet,
                std::chrono::milliseconds longest, const std::function<bool()>& stop);

  bool sees_packets() const noexcept { return packets_missing_.empty(); }
  bool hears_rules() const noexcept { return rules_missing_.empty(); }
  /// Whether more happened than could be read.
  bool lost_some();
  /// "nftrace: ...", of each kind that can't be had somewhere.
  std::vector<std::string> absent() const;

 private:
  struct Post;
  std::unique_ptr<Post> man(const Place& place) const;
  void find_peers();
  void read_frames(Post& post, Attempt& attempt);
  void read_events(Post& post, Attempt& attempt);

  Protocol protocol_;
  bool v6_;
  std::uint32_t nonce_;
  std::vector<std::uint16_t> vxlan_ports_;
  Tampering tampering_;
  std::vector<std::unique_ptr<Post>> posts_;
  std::string packets_missing_;
  std::string rules_missing_;
};

}  // namespace knetsim::explain
