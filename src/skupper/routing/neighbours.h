#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "routing/table.h"

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

}  // namespace knetsim::skupper::routing
