#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "routing/table.h"
#include "wire/control.h"

namespace knetsim::skupper::routing {

/// The links, and who is at their other ends. A router is a neighbour while its HELLOs over a link say that it hears
/// ours; with several links to it, the cheapest one is used.
class Neighbours {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Neighbours(std::chrono::milliseconds max_age) : max_age_(max_age) {}

  void add_link(LinkId link, std::int64_t cost);
  void remove_link(LinkId link);
  bool has_link(LinkId link) const { return costs_.contains(link); }
  std::vector<LinkId> links() const;

  /// Whether `router` is heard over another link with another instance: then there are two of that name.
  bool is_duplicate(const std::string& router, LinkId link, std::int64_t instance) const;
  /// A HELLO of `router` came over `link`. True if it is the first after a silence.
  bool heard(const std::string& router, LinkId link, std::int64_t instance, TimePoint now);
  /// That HELLO named us.
  void confirmed(const std::string& router, LinkId link, TimePoint now);
  /// Forgets what is older than max_age. Returns the routers that aren't heard any more.
  std::vector<std::string> expire(TimePoint now);
  std::optional<TimePoint> next_expiry() const;

  /// The routers that are heard: HELLO's `seen`.
  std::vector<std::string> seen() const;
  /// The two-way ones and what it costs to get there: our link state.
  Peers peers() const;
  /// nullopt if it isn't a two-way neighbour.
  std::optional<LinkId> link_to(const std::string& router) const;

 private:
  struct Hearing {
    TimePoint time;
    std::int64_t instance = 0;
  };
  using Hearings = std::map<LinkId, Hearing>;

  std::chrono::milliseconds max_age_;
  std::map<LinkId, std::int64_t> costs_;
  std::map<std::string, Hearings> heard_;
  std::map<std::string, Hearings> confirmed_;
};

/// What is known of another router, and what is still to be asked of it.
class RemoteRouter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit RemoteRouter(TimePoint now) : heard_(now) {}

  /// Takes note of an instance (0: not said). True if it says that the router has restarted; all is forgotten then.
  bool restarted(std::int64_t instance);
  /// True if it changed what we know of its neighbours.
  bool take(const wire::LinkState& state, TimePoint now);
  void take(const wire::RouterAdvertisement& advertisement, TimePoint now);
  /// True if it changed what we know of its addresses.
  bool take(const wire::MobileAddressUpdate& update);
  /// Drops a link state that hasn't been confirmed for `max_age`; true if there was one.
  bool expire(TimePoint now, std::chrono::milliseconds max_age);
  /// When there will be something to expire: a link state, or an unreachable router as a whole.
  std::optional<TimePoint> next_expiry(std::chrono::milliseconds max_age) const;

  /// Reachable or not. When it becomes unreachable its neighbours and addresses are forgotten: nothing tells us that
  /// they still hold. True if that changed.
  bool set_reachable(bool reachable);
  bool reachable() const { return reachable_; }

  const Peers& peers() const { return peers_; }
  const std::map<std::string, wire::Treatment>& addresses() const { return addresses_; }
  std::int64_t mobile_seq() const { return mobile_seq_; }
  TimePoint heard() const { return heard_; }

  /// When its link state, its addresses are to be asked for (in the past: now); nullopt if there is nothing to ask.
  /// An answer may get lost where routes change: questions are repeated after `retry`.
  std::optional<TimePoint> link_state_due(std::chrono::milliseconds retry) const;
  std::optional<TimePoint> addresses_due(std::chrono::milliseconds retry) const;
  void asked_link_state(TimePoint now) { link_state_asked_ = now; }
  void asked_addresses(TimePoint now) { addresses_asked_ = now; }

 private:
  void forget();
  void advertised_mobile(std::int64_t sequence);
  bool take_all(const wire::AbsoluteAddresses& all);
  bool take_changes(const wire::AddressChanges& changes);

  std::int64_t instance_ = 0;
  TimePoint heard_;
  bool reachable_ = false;

  std::int64_t ls_seq_ = 0;
  std::int64_t advertised_ls_seq_ = 0;
  bool answered_ = false;  ///< a link state came since it is reachable
  Peers peers_;
  std::optional<TimePoint> link_state_asked_;

  std::int64_t mobile_seq_ = 0;
  std::int64_t advertised_mobile_seq_ = 0;
  bool advertised_ = false;  ///< a mobile_seq came since it is reachable
  std::map<std::string, wire::Treatment> addresses_;
  std::optional<TimePoint> addresses_asked_;
};

}  // namespace knetsim::skupper::routing
