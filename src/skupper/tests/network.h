#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/engine.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {

/// The address that the routers know a service by.
inline const std::string kService = wire::mobile_key("svc1:8080");

/// Routing engines joined by wires, in virtual time: nothing waits, and every run is the same. A message takes a
/// millisecond from end to end.
class Network {
 public:
  using TimePoint = Clock::time_point;
  using Duration = std::chrono::milliseconds;

  /// Starts a router; one of that name that has been stopped comes back with another instance.
  Engine& start(const std::string& id);
  Engine& start(Settings settings);
  /// The process dies: its links go down at once.
  void stop(const std::string& id);
  Engine& router(const std::string& id) { return routers_.at(id); }
  bool has(const std::string& id) const { return routers_.contains(id); }

  void connect(const std::string& a, const std::string& b, std::int64_t cost = 1);
  /// Both ends notice.
  void disconnect(const std::string& a, const std::string& b);
  /// Nobody notices: what is sent doesn't arrive any more.
  void cut(const std::string& a, const std::string& b);
  bool connected(const std::string& a, const std::string& b) const;
  /// Connected by a wire that hasn't been cut.
  bool alive(const std::string& a, const std::string& b) const;

  /// Drops the messages for which it says so.
  void lose(std::function<bool(std::string_view message)> lost) { lost_ = std::move(lost); }
  /// Hands a message to `to` as if it came from `from`.
  void inject(const std::string& from, const std::string& to, std::string message);

  void run(Duration duration);
  /// Runs until the condition holds. False if it doesn't within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit = std::chrono::seconds(10));

  /// "b 1, c 2": next hop and cost, empty if there is no route.
  std::string route(const std::string& from, const std::string& to) const;
  /// "e 4, local 1": who has consumers of the address as `at` sees it.
  std::string consumers(const std::string& at, const std::string& key) const;
  /// Refusals and log lines since the start: "a: text".
  const std::vector<std::string>& refusals() const { return refusals_; }
  const std::vector<std::string>& log() const { return log_; }
  std::size_t messages() const { return messages_; }
  TimePoint now() const { return now_; }

 private:
  struct Wire {
    std::string a;
    std::string b;
    LinkId link_a = 0;
    LinkId link_b = 0;
    bool dead = false;
  };
  struct InFlight {
    TimePoint arrival;
    std::uint64_t order = 0;
    std::string router;
    LinkId link = 0;
    std::string message;
    bool operator>(const InFlight& other) const {
      return std::pair(arrival, order) > std::pair(other.arrival, other.order);
    }
  };

  /// Handles what is next, if that is not after `limit`; false otherwise.
  bool step(TimePoint limit);
  void poll(const std::string& id);
  void transmit(const std::string& from, const Transmission& transmission);
  void unplug(const std::function<bool(const Wire&)>& condition);
  const Wire* find(const std::string& a, const std::string& b) const;

  TimePoint now_{std::chrono::hours(1)};
  std::map<std::string, Engine> routers_;
  std::vector<Wire> wires_;
  std::priority_queue<InFlight, std::vector<InFlight>, std::greater<>> in_flight_;
  std::function<bool(std::string_view)> lost_ = [](std::string_view) { return false; };
  std::vector<std::string> refusals_;
  std::vector<std::string> log_;
  LinkId next_link_ = 1;
  std::uint64_t order_ = 0;
  std::int64_t instance_ = 1795385884;
  std::size_t messages_ = 0;
  std::size_t polls_at_once_ = 0;
};

}  // namespace knetsim::skupper::routing
