#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/netns.h"
#include "knetsim/sys/network.h"

namespace knetsim::lab {

enum class Protocol { icmp, udp, tcp };

/// Who got a flow, and from whom it seemed to come.
struct Hit {
  int server;
  Address source;
  bool operator==(const Hit&) const = default;
};

/// A client and servers around a router, whose ruleset is under test; all dual-stack, on real veths.
///
///   client 10.1.0.2 fd01::2 --- router --- server N: 10.2.N.2 fd02:N::2
class Lab {
 public:
  explicit Lab(int servers);
  /// The same with all servers on one bridge of the router's, "cni0", which doesn't show their flows to netfilter.
  static Lab bridged(int servers);

  const NetNs& router() const { return router_; }
  const NetNs& client() const { return client_; }
  const NetNs& server(int index) const { return servers_.at(static_cast<std::size_t>(index)); }
  static Address server_address(int index, bool v6 = false);
  static Address bridged_address(int index, bool v6 = false);
  static Address client_address(bool v6 = false);
  /// The router's own, on the client's side.
  static Address router_address(bool v6 = false);
  /// The router's own, on that server's side; of a bridged lab: index 0.
  static Address router_address_at(int server, bool v6 = false);

  /// Opens a new flow from inside `from` to `target` (`port` where the protocol has one), answered by whichever server
  /// listens (every one does, on kPort). nullopt when the flow is refused (RST, ICMP unreachable). Fails the test if
  /// the answer doesn't come from `target`, and throws StillMissing when there is none.
  std::optional<Hit> flow(const NetNs& from, Protocol protocol, const Address& target, std::uint16_t port = kPort);

  static constexpr std::uint16_t kPort = 8080;

 private:
  Lab();
  void listen_at(const NetNs& server);

  struct Listeners {
    std::array<Fd, 2> icmp;  // IPv4, IPv6
    std::array<Fd, 2> udp;
    std::array<Fd, 2> tcp;
  };

  std::optional<Hit> icmp_flow(const NetNs& from, const Address& target);
  std::optional<Hit> udp_flow(const NetNs& from, const Address& target, std::uint16_t port);
  std::optional<Hit> tcp_flow(const NetNs& from, const Address& target, std::uint16_t port);

  NetNs router_;
  NetNs client_;
  std::vector<NetNs> servers_;
  std::vector<Listeners> listeners_;
  std::uint16_t next_id_ = 1;
};

/// `nft list ruleset` in the namespace.
std::string listing(const NetNs& netns);
/// What `nft -f` of this text, typed into an empty namespace, lists.
std::string listing_of(const std::string& typed);
/// Runs nft with these arguments inside and returns its output; throws if it fails.
std::string nft(const NetNs& netns, const std::vector<std::string>& arguments, const std::string& input = {});

}  // namespace knetsim::lab
