#include <fmt/format.h>

#include <utility>

#include "routing/engine.h"
#include "wire/address.h"

namespace knetsim::skupper::routing {

namespace {

std::string_view module_of(const wire::ControlBody& body) {
  const auto opcode = wire::opcode(body);
  if (opcode == "HELLO") return "ROUTER_HELLO";
  return opcode.starts_with("MA") ? "ROUTER_MA" : "ROUTER_LS";
}

}  // namespace

void Engine::send_hellos(TimePoint now) {
  const auto links = neighbours_.links();
  // Not last_hello_ + interval, which overflows where there was none yet.
  const bool due = !links.empty() && (last_hello_ == TimePoint::min() || now - last_hello_ >= settings_.hello_interval);
  if (!due && hello_due_.empty()) return;
  const wire::Hello hello{settings_.id, wire::kLinkStateVersion, settings_.instance, neighbours_.seen()};
  const wire::ControlMessage message{wire::originate(settings_.id), std::string(wire::kHelloAddress), hello};
  for (const auto link : links)
    if (due || hello_due_.contains(link)) transmit(link, message);
  hello_due_.clear();
  if (due) last_hello_ = now;
}

void Engine::announce_addresses() {
  if (!addresses_.has_changes()) return;
  auto changes = addresses_.take_changes();
  flood(wire::kAllMobile,
        wire::MobileAddressUpdate{settings_.id, wire::kMobileVersion, addresses_.sequence(), std::move(changes)});
  advertisement_due_ = true;
}

void Engine::ask(TimePoint now) {
  for (auto& [id, router] : routers_) {
    if (const auto due = router.link_state_due(settings_.hello_interval); due && *due <= now) {
      send(id, wire::router_address(id), wire::LinkStateRequest{settings_.id}, std::nullopt);
      router.asked_link_state(now);
    }
    if (const auto due = router.addresses_due(settings_.hello_interval); due && *due <= now) {
      send(id, wire::mobile_address(id),
           wire::MobileAddressRequest{settings_.id, wire::kMobileVersion, router.mobile_seq()}, std::nullopt);
      router.asked_addresses(now);
    }
  }
}

void Engine::advertise(TimePoint now) {
  const bool due = !link_state_.peers.empty() && now >= next_advertisement();
  if (!due && !advertisement_due_) return;
  advertisement_due_ = false;
  last_advertisement_ = now;
  flood(wire::kAllRouters, wire::RouterAdvertisement{settings_.id, wire::kLinkStateVersion, settings_.instance,
                                                     link_state_.ls_seq, addresses_.sequence()});
}

bool Engine::in_flux(TimePoint now) const {
  return last_change_ && now - *last_change_ <= 2 * settings_.ra_interval_flux;
}

Engine::TimePoint Engine::next_advertisement() const {
  if (last_advertisement_ == TimePoint::min()) return TimePoint::min();
  const auto soon = last_advertisement_ + settings_.ra_interval_flux;
  return in_flux(soon) ? soon : last_advertisement_ + settings_.ra_interval;
}

void Engine::send(const std::string& router, std::string to, wire::ControlBody body, std::optional<LinkId> otherwise) {
  const auto known = link_to(router);
  const auto link = known ? known : otherwise;
  if (link) transmit(*link, {wire::originate(settings_.id), std::move(to), std::move(body)});
}

void Engine::flood(std::string_view to, wire::ControlBody body) {
  const wire::ControlMessage message{wire::originate(settings_.id), std::string(to), std::move(body)};
  for (const auto& [peer, cost] : link_state_.peers)
    if (const auto link = neighbours_.link_to(peer)) transmit(*link, message);
}

void Engine::forward(const std::string& router, const wire::AnnotatedMessage& message) {
  const auto link = link_to(router);
  if (!link)
    return log("ROUTER", LogLine::Level::debug, fmt::format("No route to {}: dropped a control message", router));
  output_.transmissions.push_back(
      {*link, wire::encode(wire::forwarded(message.annotations, settings_.id)) + std::string(message.rest)});
}

void Engine::forward_to_all(LinkId from, const wire::AnnotatedMessage& message) {
  const auto bytes = wire::encode(wire::forwarded(message.annotations, settings_.id)) + std::string(message.rest);
  for (const auto& [peer, cost] : link_state_.peers) {
    const auto link = neighbours_.link_to(peer);
    if (link && *link != from && !wire::has_passed(message.annotations, peer))
      output_.transmissions.push_back({*link, bytes});
  }
}

void Engine::transmit(LinkId link, const wire::ControlMessage& message) {
  log(module_of(message.body), LogLine::Level::debug, "SENT: " + wire::to_string(message.body));
  output_.transmissions.push_back({link, wire::encode(message)});
}

std::optional<LinkId> Engine::link_to(const std::string& router) const {
  if (const auto neighbour = neighbours_.link_to(router)) return neighbour;
  const auto* route = table_.route(router);
  return route && neighbours_.has_link(route->link) ? std::optional(route->link) : std::nullopt;
}

}  // namespace knetsim::skupper::routing
