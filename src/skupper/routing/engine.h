#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/skupper/config.h"
#include "routing/local_addresses.h"
#include "routing/routers.h"
#include "routing/table.h"
#include "wire/control.h"

namespace knetsim::skupper::routing {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string id;
  /// Seconds since the epoch at the start. Peers take another value for a restart, and forget what they knew.
  std::int64_t instance = 0;
  /// Where ls_seq and mobile_seq begin. A router that may come back within the same second (and so with the same
  /// instance) begins with the second's milliseconds: peers take higher numbers only.
  std::int64_t first_sequence = 0;
  std::chrono::milliseconds hello_interval{1'000};
  std::chrono::milliseconds hello_max_age{3'000};
  std::chrono::milliseconds ra_interval{30'000};
  std::chrono::milliseconds ra_interval_flux{4'000};  ///< while the topology is changing
  std::chrono::milliseconds remote_ls_max_age{60'000};
};

/// A message to hand to the control link's sender, presettled. Order matters per link.
struct Transmission {
  LinkId link = 0;
  std::string message;  ///< all of the delivery's bytes
};

/// A peer that can't be talked to. Close its connection; link_down is then not needed.
struct Refusal {
  LinkId link = 0;
  std::string reason;  ///< "malformed RA: …", "detected neighbor router with a duplicate ID c0"
};

/// A line for the log, module and level as skrouterd's.
struct LogLine {
  using Level = LogLevel;
  std::string_view module;  ///< "ROUTER", "ROUTER_HELLO", "ROUTER_LS", "ROUTER_MA"
  Level level = Level::info;
  std::string text;
};

/// What is to be done after a call of Engine::poll.
struct Output {
  std::vector<Transmission> transmissions;
  std::vector<Refusal> refusals;
  std::vector<LogLine> log;
  bool routes_changed = false;                 ///< table().routes has
  std::vector<std::string> addresses_changed;  ///< keys whose entry in table().addresses appeared, changed or went
};

/// Tells the copies of a flooded message, which come over every path through the network, from the first one. Only the
/// first is passed on: in a mesh the copies would multiply with each path.
class FloodFilter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// True for a message that wasn't seen within the last second: who floods it, and all that follows the annotations.
  bool is_new(const std::string& ingress, std::string_view payload, TimePoint now);

 private:
  std::map<std::size_t, TimePoint> seen_;  ///< by hash
};

/// The routing protocol of skupper-router 3.x (its python/…/router/ and router_core/modules/mobile_sync): neighbours by
/// HELLO, link state by RA, LSR and LSU, addresses by MAR and MAU, shortest paths over costs. A pure state machine: no
/// I/O, no clock, no threads, no randomness. One thread at a time.
///
/// Feed it what happens, then call poll(now) and do what it says; call poll again no later than next_poll(). Changes
/// that are fed before one poll are announced together. It follows the protocol's rules, not skrouterd's one-second
/// clock: what that one does at its next tick, this one does at once.
class Engine {
 public:
  explicit Engine(Settings settings);

  /// A control connection is open, its control links attached both ways. `cost` >= 1 is the larger of the two ends'.
  void link_up(LinkId link, std::int64_t cost);
  /// It is gone. Unknown ones are ignored.
  void link_down(LinkId link);
  /// A complete delivery came in on the control link (qd.router), whatever it holds: a message that isn't for this
  /// router is passed on, a malformed one makes a Refusal.
  void receive(LinkId link, std::string_view message, Clock::time_point now);

  /// A consumer of the address `key` (wire::mobile_key("svc1:8080")) came to this router, or went. Counted: the address
  /// stays as long as there is one.
  void add_consumer(const std::string& key, wire::Treatment treatment = wire::Treatment::balanced);
  void remove_consumer(const std::string& key);

  /// Ages, computes, and says what to do.
  Output poll(Clock::time_point now);
  /// When poll must be called next if nothing else happens; in the past or equal to the last `now` if there is work
  /// already.
  Clock::time_point next_poll() const;

  const RoutingTable& table() const { return table_; }
  const Settings& settings() const { return settings_; }

 private:
  using TimePoint = Clock::time_point;

  // engine_receive.cpp: what comes in.
  void receive_annotated(LinkId link, const wire::AnnotatedMessage& message, std::string_view bytes, TimePoint now);
  void deliver(LinkId link, const wire::Message& message, TimePoint now);
  void handle(LinkId link, const wire::Hello& hello, TimePoint now);
  void handle(LinkId link, const wire::RouterAdvertisement& advertisement, TimePoint now);
  void handle(LinkId link, const wire::LinkStateRequest& request, TimePoint now);
  void handle(LinkId link, const wire::LinkStateUpdate& update, TimePoint now);
  void handle(LinkId link, const wire::MobileAddressRequest& request, TimePoint now);
  void handle(LinkId link, const wire::MobileAddressUpdate& update, TimePoint now);
  bool understands(const wire::ControlBody& body);
  /// Null if there are too many already.
  RemoteRouter* learn(const std::string& id, std::int64_t instance, TimePoint now);
  void refuse(LinkId link, std::string reason);

  // engine_send.cpp: what goes out.
  void send_hellos(TimePoint now);
  void announce_addresses();
  void ask(TimePoint now);
  void advertise(TimePoint now);
  /// To one router; by `otherwise` if no route is known. Dropped if there is neither.
  void send(const std::string& router, std::string to, wire::ControlBody body, std::optional<LinkId> otherwise);
  void flood(std::string_view to, wire::ControlBody body);
  void forward(const std::string& router, const wire::AnnotatedMessage& message);
  void forward_to_all(LinkId from, const wire::AnnotatedMessage& message);
  void transmit(LinkId link, const wire::ControlMessage& message);
  std::optional<LinkId> link_to(const std::string& router) const;
  bool in_flux(TimePoint now) const;
  TimePoint next_advertisement() const;

  // engine.cpp: what follows from it.
  void age(TimePoint now);
  void update_link_state();
  void compute_routes(TimePoint now);
  void update_addresses();

  void log(std::string_view module, LogLine::Level level, std::string text);

  Settings settings_;
  Neighbours neighbours_;
  std::map<std::string, RemoteRouter> routers_;
  LocalAddresses addresses_;
  FloodFilter flooded_;
  RoutingTable table_;
  Output output_;

  wire::LinkState link_state_;  ///< our own, as announced
  bool routes_stale_ = false;
  bool addresses_stale_ = false;
  bool advertisement_due_ = false;
  std::set<LinkId> hello_due_;
  std::set<std::string> incompatible_;  ///< routers whose protocol version has been complained of
  TimePoint last_hello_ = TimePoint::min();
  TimePoint last_advertisement_ = TimePoint::min();
  std::optional<TimePoint> last_change_;  ///< of the topology
};

}  // namespace knetsim::skupper::routing
