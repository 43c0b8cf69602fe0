#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "knetsim/kubeproxy/program.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/netlink/conntrack.h"
#include "knetsim/sys/netns.h"

namespace knetsim::kubeproxy {

/// What a health check port tells of a service.
struct HealthCheck {
  std::uint16_t port = 0;
  std::size_t endpoints = 0;  ///< that are ready, on this node
  bool operator==(const HealthCheck&) const = default;
};

/// What sync() did.
struct Synced {
  Written written;
  bool whole = false;         ///< all services were looked at, not only those that had changed
  std::size_t forgotten = 0;  ///< flows
  bool reconciled = false;    ///< it was looked for flows to forget
  double reconcile_seconds = 0.0;
};

/// Keeps one worker's tables in step with services and slices, which it reads when it writes, and not before. For one
/// thread.
class Proxier {
 public:
  using Find = std::function<const nlohmann::json*(const std::string& key)>;

  /// `netns` must outlive it. The functions give a Service and an EndpointSlice as it is now; null: there is none.
  Proxier(const NetNs& netns, NodeFacts node, Find service, Find slice, Complain complain);

  void service_changed(const std::string& key);
  /// Null: it wasn't, or isn't, there.
  void slice_changed(const std::string& key, const nlohmann::json* before, const nlohmann::json* now);
  /// What depends on it is computed and, where it differs, written anew.
  void set_node(const NodeFacts& node);
  const NodeFacts& node() const noexcept { return node_; }

  bool in_step() const noexcept { return dirty_.empty() && changed_.empty() && !doubtful_; }
  /// Somebody else may have changed the tables.
  void doubt() noexcept;
  /// Writes all that has changed, and forgets flows. Throws nft::Error: what stood still stands, and the next call
  /// writes the rest; or netlink::Error: it is written, and the next call forgets the flows.
  Synced sync();

  const std::map<std::string, HealthCheck>& health_checks() const noexcept { return health_checks_; }
  /// Services that have endpoints but none on this node, by the policy that asks for one.
  std::size_t without_local(bool external) const;

  /// Takes the tables away.
  static void clean_up(const NetNs& netns);

 private:
  using Destinations = std::map<Destination, std::set<Destination>>;

  void look_at(const std::string& key);
  std::size_t forget(const Destinations& changed);
  void make_programs();

  const NetNs* netns_;
  NodeFacts node_;
  Find service_;
  Find slice_;
  Complain complain_;
  std::map<nft::Family, Program> programs_;
  std::map<std::string, std::set<std::string>> slices_;  // of each service
  std::set<std::string> services_;                       // those that there are
  std::set<std::string> dirty_;                          // services
  std::map<std::string, Destinations> udp_;              // as it was written, of services that have UDP
  Destinations changed_;                                 // since flows were looked at
  std::map<std::string, HealthCheck> health_checks_;
  std::map<std::string, std::pair<bool, bool>> without_local_;  // internal, external
  std::optional<netlink::Conntrack> conntrack_;
  bool doubtful_ = true;
  bool all_dirty_ = true;
};

}  // namespace knetsim::kubeproxy
