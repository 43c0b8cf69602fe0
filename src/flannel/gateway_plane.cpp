#include "gateway_plane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "knetsim/sys/error.h"

namespace knetsim::flannel {

netlink::Route GatewayPlane::route_to(const Peer& peer) const {
  return {.destination = peer.subnet, .gateway = peer.underlay, .interface = interface_};
}

void GatewayPlane::install(const Peer& peer) {
  try {
    netlink::replace_route(socket_, route_to(peer));
    complaints_.forget(to_string(peer.subnet));
  } catch (const Error& error) {
    complaints_.say(to_string(peer.subnet), fmt::format("Error adding route to {} via {}: {}", to_string(peer.subnet),
                                                        peer.underlay.to_string(), error.what()));
  }
}

void GatewayPlane::set(std::span<const Peer> peers) {
  for (const auto& peer : peers) {
    const auto base = address_of(peer.subnet);
    if (const auto old = peers_.find(base); old != peers_.end() && old->second.subnet != peer.subnet)
      remove(old->second.subnet);
    spdlog::info("Subnet added: {} via {}", to_string(peer.subnet), peer.underlay.to_string());
    peers_.insert_or_assign(base, peer);
    install(peer);
  }
}

void GatewayPlane::remove(const Network& subnet) {
  const auto found = peers_.find(address_of(subnet));
  if (found == peers_.end()) return;
  spdlog::info("Subnet removed: {}", to_string(subnet));
  try {
    netlink::delete_route(socket_, route_to(found->second));
  } catch (const Error& error) {
    spdlog::error("Error deleting route to {}: {}", to_string(subnet), error.what());
  }
  peers_.erase(found);
}

bool GatewayPlane::is_wanted(const netlink::Route& route) const {
  const auto peer = peers_.find(address_of(route.destination));
  return peer != peers_.end() && route.destination == peer->second.subnet && route.gateway == peer->second.underlay &&
         route.interface == interface_;
}

void GatewayPlane::install_missing() {
  const auto link = netlink::find_link(socket_, interface_);
  if (!link || !link->up || peers_.empty()) return;
  std::set<Address> standing;
  for (const auto& route : netlink::list_routes(socket_, family(range_.network)))
    if (is_wanted(route)) standing.insert(address_of(route.destination));
  for (const auto& [base, peer] : peers_) {
    if (standing.contains(base)) continue;
    spdlog::info("Route recovered {} : {}", to_string(peer.subnet), peer.underlay.to_string());
    install(peer);
  }
}

void GatewayPlane::forget_strangers() {
  forget_plain_routes(socket_, interface_, range_, [this](const netlink::Route& route) { return is_wanted(route); });
}

void GatewayPlane::heed(const std::vector<netlink::Event>& events) {
  const auto concerns_us = [this](const netlink::Event& event) {
    // Removed, or replaced by another one.
    if (const auto* route = std::get_if<netlink::Route>(&event.object))
      return peers_.contains(address_of(route->destination)) && (event.removed || !is_wanted(*route));
    // The kernel takes away the routes of a link that goes down without a word about each.
    if (const auto* link = std::get_if<netlink::Link>(&event.object)) return link->index == interface_ && link->up;
    // Nor does it tell of the routes that it drops together with an address.
    if (const auto* address = std::get_if<netlink::InterfaceAddress>(&event.object))
      return address->interface == interface_;
    return std::holds_alternative<netlink::Resync>(event.object);
  };
  if (std::any_of(events.begin(), events.end(), concerns_us)) install_missing();
}

}  // namespace knetsim::flannel
