#include "network.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace knetsim::skupper::routing {

namespace {

constexpr std::chrono::milliseconds kLatency{1};
// An engine that always wants to be polled again would stop the clock.
constexpr std::size_t kMaxPollsAtOnce = 10'000;

}  // namespace

Engine& Network::start(const std::string& id) {
  Settings settings;
  settings.id = id;
  settings.instance = instance_++;
  return start(std::move(settings));
}

Engine& Network::start(Settings settings) {
  const auto id = settings.id;
  return routers_.emplace(id, Engine(std::move(settings))).first->second;
}

void Network::stop(const std::string& id) {
  routers_.erase(id);
  unplug([&](const Wire& wire) { return wire.a == id || wire.b == id; });
}

void Network::connect(const std::string& a, const std::string& b, std::int64_t cost) {
  const Wire wire{a, b, next_link_, next_link_ + 1, false};
  next_link_ += 2;
  wires_.push_back(wire);
  router(a).link_up(wire.link_a, cost);
  router(b).link_up(wire.link_b, cost);
}

void Network::disconnect(const std::string& a, const std::string& b) {
  const auto* wire = find(a, b);
  if (!wire) throw std::logic_error("there is no wire between " + a + " and " + b);
  unplug([link = wire->link_a](const Wire& other) { return other.link_a == link; });
}

void Network::cut(const std::string& a, const std::string& b) {
  const auto* wire = find(a, b);
  const auto link = wire ? wire->link_a : throw std::logic_error("there is no wire between " + a + " and " + b);
  for (auto& other : wires_)
    if (other.link_a == link) other.dead = true;
}

bool Network::connected(const std::string& a, const std::string& b) const { return find(a, b) != nullptr; }

bool Network::alive(const std::string& a, const std::string& b) const {
  const auto* wire = find(a, b);
  return wire && !wire->dead;
}

const Network::Wire* Network::find(const std::string& a, const std::string& b) const {
  for (const auto& wire : wires_)
    if ((wire.a == a && wire.b == b) || (wire.a == b && wire.b == a)) return &wire;
  return nullptr;
}

void Network::unplug(const std::function<bool(const Wire&)>& condition) {
  for (const auto& wire : wires_) {
    if (!condition(wire)) continue;
    if (has(wire.a)) router(wire.a).link_down(wire.link_a);
    if (has(wire.b)) router(wire.b).link_down(wire.link_b);
  }
  std::erase_if(wires_, condition);
}

void Network::inject(const std::string& from, const std::string& to, std::string message) {
  const auto* wire = find(from, to);
  if (!wire) throw std::logic_error("there is no wire between " + from + " and " + to);
  router(to).receive(wire->a == to ? wire->link_a : wire->link_b, message, now_);
}

void Network::run(Duration duration) {
  const auto end = now_ + duration;
  while (step(end)) continue;
  now_ = end;
}

bool Network::run_until(const std::function<bool()>& condition, Duration limit) {
  const auto end = now_ + limit;
  while (!condition())
    if (!step(end)) return condition();
  return true;
}

bool Network::step(TimePoint limit) {
  auto next = in_flight_.empty() ? TimePoint::max() : in_flight_.top().arrival;
  const std::string* due = nullptr;
  for (const auto& [id, engine] : routers_) {
    if (const auto poll = engine.next_poll(); poll < next) {
      next = poll;
      due = &id;
    }
  }
  if (next > limit) return false;
  polls_at_once_ = next > now_ ? 0 : polls_at_once_ + 1;
  if (polls_at_once_ > kMaxPollsAtOnce) throw std::logic_error("an engine doesn't let the clock go on");
  now_ = std::max(now_, next);
  if (due) {
    poll(*due);
    return true;
  }
  const auto arrived = in_flight_.top();
  in_flight_.pop();
  if (!has(arrived.router)) return true;
  router(arrived.router).receive(arrived.link, arrived.message, now_);
  return true;
}

void Network::poll(const std::string& id) {
  auto output = router(id).poll(now_);
  for (const auto& line : output.log) log_.push_back(fmt::format("{}: {}", id, line.text));
  for (const auto& transmission : output.transmissions) transmit(id, transmission);
  for (const auto& refusal : output.refusals) {
    refusals_.push_back(fmt::format("{}: {}", id, refusal.reason));
    unplug([&](const Wire& wire) { return wire.link_a == refusal.link || wire.link_b == refusal.link; });
  }
}

void Network::transmit(const std::string& from, const Transmission& transmission) {
  for (const auto& wire : wires_) {
    if (wire.link_a != transmission.link && wire.link_b != transmission.link) continue;
    const bool from_a = wire.link_a == transmission.link;
    if ((from_a ? wire.a : wire.b) != from) throw std::logic_error(from + " sends on a link that it doesn't have");
    ++messages_;
    if (wire.dead || lost_(transmission.message)) return;
    in_flight_.push({now_ + kLatency, order_++, from_a ? wire.b : wire.a, from_a ? wire.link_b : wire.link_a,
                     transmission.message});
    return;
  }
}

std::string Network::route(const std::string& from, const std::string& to) const {
  const auto* route = routers_.at(from).table().route(to);
  return route ? fmt::format("{} {}", route->next_hop, route->cost) : "";
}

std::string Network::consumers(const std::string& at, const std::string& key) const {
  const auto* consumers = routers_.at(at).table().consumers(key);
  if (!consumers) return "";
  std::string text = consumers->local > 0 ? fmt::format("local {}", consumers->local) : "";
  for (const auto& remote : consumers->remote)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", remote.router, remote.cost);
  return text;
}

}  // namespace knetsim::skupper::routing
