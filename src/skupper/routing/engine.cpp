#include "routing/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

namespace knetsim::skupper::routing {

namespace {

constexpr std::chrono::seconds kMemory{1};
// Far more than 128 routers flood in a second; a peer that floods beyond this gets its copies passed on.
constexpr std::size_t kCapacity = 4096;

/// The earlier of two moments of which either may not exist.
void take_earlier(std::optional<Clock::time_point>& next, std::optional<Clock::time_point> candidate) {
  if (candidate && (!next || *candidate < *next)) next = candidate;
}

/// {'c1': 'c2', 'c2': 'c2'}
template <typename Field>
std::string printed(const std::map<std::string, Route>& routes, Field field) {
  std::string text;
  for (const auto& [router, route] : routes)
    text += fmt::format("{}'{}': {}", text.empty() ? "" : ", ", router, field(route));
  return "{" + text + "}";
}

/// The keys whose entries differ.
std::vector<std::string> changed_keys(const std::map<std::string, Consumers>& before,
                                      const std::map<std::string, Consumers>& after) {
  std::vector<std::string> keys;
  for (const auto& [key, consumers] : before)
    if (const auto now = after.find(key); now == after.end() || !(now->second == consumers)) keys.push_back(key);
  for (const auto& [key, consumers] : after)
    if (!before.contains(key)) keys.push_back(key);
  return keys;
}

}  // namespace

bool FloodFilter::is_new(const std::string& ingress, std::string_view payload, TimePoint now) {
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second > kMemory; });
  if (seen_.size() >= kCapacity) seen_.clear();
  return seen_.emplace(std::hash<std::string>{}(ingress + '\n' + std::string(payload)), now).second;
}

Engine::Engine(Settings settings)
    : settings_(std::move(settings)), neighbours_(settings_.hello_max_age), addresses_(settings_.first_sequence) {
  link_state_.id = settings_.id;
  link_state_.ls_seq = settings_.first_sequence;
  log("ROUTER", LogLine::Level::info,
      fmt::format("Router Engine Instantiated: id={} instance={}", settings_.id, settings_.instance));
}

void Engine::link_up(LinkId link, std::int64_t cost) {
  neighbours_.add_link(link, cost);
  hello_due_.insert(link);
}

void Engine::link_down(LinkId link) {
  if (!neighbours_.has_link(link)) return;
  log("ROUTER_LS", LogLine::Level::info, fmt::format("Link to Neighbor Router Lost - link_tag={}", link));
  neighbours_.remove_link(link);
  hello_due_.erase(link);
  routes_stale_ = true;
}

void Engine::add_consumer(const std::string& key, wire::Treatment treatment) {
  addresses_.add(key, treatment);
  addresses_stale_ = true;
}

void Engine::remove_consumer(const std::string& key) {
  addresses_.remove(key);
  addresses_stale_ = true;
}

Output Engine::poll(Clock::time_point now) {
  age(now);
  update_link_state();
  if (routes_stale_) compute_routes(now);
  // HELLO first: with it the neighbour knows us as one, and can answer what follows. Addresses before the advertisement
  // of their number: whoever hears of it first asks for them.
  send_hellos(now);
  announce_addresses();
  ask(now);
  advertise(now);
  if (addresses_stale_) update_addresses();
  return std::exchange(output_, {});
}

Clock::time_point Engine::next_poll() const {
  if (routes_stale_ || addresses_stale_ || advertisement_due_ || !hello_due_.empty() || !output_.log.empty() ||
      !output_.refusals.empty() || !output_.transmissions.empty())
    return TimePoint::min();
  std::optional<TimePoint> next = neighbours_.next_expiry();
  if (!neighbours_.links().empty()) take_earlier(next, last_hello_ + settings_.hello_interval);
  if (!link_state_.peers.empty()) take_earlier(next, next_advertisement());
  for (const auto& [id, router] : routers_) {
    take_earlier(next, router.next_expiry(settings_.remote_ls_max_age));
    take_earlier(next, router.link_state_due(settings_.hello_interval));
    take_earlier(next, router.addresses_due(settings_.hello_interval));
  }
  return next.value_or(TimePoint::max());
}

void Engine::age(TimePoint now) {
  for (const auto& router : neighbours_.expire(now)) {
    log("ROUTER_HELLO", LogLine::Level::debug, fmt::format("HELLO peer expired: {}", router));
    routes_stale_ = true;
  }
  for (auto& [id, router] : routers_)
    if (router.expire(now, settings_.remote_ls_max_age)) routes_stale_ = true;
  std::erase_if(routers_, [&](const auto& entry) {
    return !entry.second.reachable() && now - entry.second.heard() > settings_.remote_ls_max_age;
  });
}

void Engine::update_link_state() {
  auto peers = neighbours_.peers();
  if (peers == link_state_.peers) return;
  link_state_.peers = std::move(peers);
  ++link_state_.ls_seq;
  advertisement_due_ = true;
  routes_stale_ = true;
}

void Engine::compute_routes(TimePoint now) {
  routes_stale_ = false;
  last_change_ = now;
  Graph graph{{settings_.id, link_state_.peers}};
  for (const auto& [id, router] : routers_) graph.emplace(id, router.peers());
  const auto paths = shortest_paths(settings_.id, graph);

  std::map<std::string, Route> routes;
  for (auto& [id, router] : routers_) {
    const auto path = paths.find(id);
    if (router.set_reachable(path != paths.end())) addresses_stale_ = true;
    if (path == paths.end()) continue;
    routes[id] = {*neighbours_.link_to(path->second.next_hop), path->second.next_hop, path->second.cost};
  }
  if (routes == table_.routes) return;
  table_.routes = std::move(routes);
  output_.routes_changed = true;
  addresses_stale_ = true;
  log("ROUTER_LS", LogLine::Level::info, "Computed next hops: " + printed(table_.routes, [](const Route& route) {
                                           return fmt::format("'{}'", route.next_hop);
                                         }));
  log("ROUTER_LS", LogLine::Level::info,
      "Computed costs: " + printed(table_.routes, [](const Route& route) { return route.cost; }));
}

void Engine::update_addresses() {
  addresses_stale_ = false;
  std::map<std::string, Consumers> addresses;
  for (const auto& [key, address] : addresses_.all()) addresses[key] = {address.treatment, address.consumers, {}};
  for (const auto& [id, route] : table_.routes) {
    for (const auto& [key, treatment] : routers_.at(id).addresses()) {
      auto& consumers = addresses.try_emplace(key, Consumers{treatment, 0, {}}).first->second;
      consumers.remote.push_back({id, route.cost});
    }
  }
  for (auto& [key, consumers] : addresses)
    std::sort(consumers.remote.begin(), consumers.remote.end(),
              [](const auto& a, const auto& b) { return std::tie(a.cost, a.router) < std::tie(b.cost, b.router); });
  output_.addresses_changed = changed_keys(table_.addresses, addresses);
  table_.addresses = std::move(addresses);
}

void Engine::log(std::string_view module, LogLine::Level level, std::string text) {
  output_.log.push_back({module, level, std::move(text)});
}

}  // namespace knetsim::skupper::routing
