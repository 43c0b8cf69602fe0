#include "vxlan_plane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>
#include <utility>

#include "knetsim/netlink/address.h"
#include "knetsim/netlink/neighbour.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sysctl.h"

namespace knetsim::flannel {

namespace {

/// Why the link that is there can't serve, empty if it can.
std::string incompatibility(const netlink::Link& link, const netlink::VxlanSpec& spec) {
  if (link.kind != "vxlan" || !link.vxlan) return fmt::format("link type: {} vs vxlan", link.kind);
  const auto& is = *link.vxlan;
  const auto text = [](const std::optional<Address>& address) { return address ? address->to_string() : "none"; };
  if (is.vni != spec.vni) return fmt::format("vni: {} vs {}", is.vni, spec.vni);
  if (is.parent != spec.parent) return fmt::format("vtep (external) interface: {} vs {}", is.parent, spec.parent);
  if (is.local != spec.local) return fmt::format("vtep (external) IP: {} vs {}", text(is.local), text(spec.local));
  if (is.group != spec.group) return fmt::format("group address: {} vs {}", text(is.group), text(spec.group));
  if (is.port != spec.port) return fmt::format("port: {} vs {}", is.port, spec.port);
  if (is.l2miss || is.l3miss) return "it reports l2 or l3 misses";
  if (is.gbp != spec.gbp) return fmt::format("gbp: {} vs {}", is.gbp, spec.gbp);
  if (is.learning != spec.learning) return fmt::format("learning: {} vs {}", is.learning, spec.learning);
  return {};
}

}  // namespace

VxlanPlane::VxlanPlane(netlink::Socket& socket, VxlanPlaneSpec spec) : socket_(socket), spec_(std::move(spec)) {
  adopt_or_create();
}

void VxlanPlane::adopt_or_create() {
  const auto& name = spec_.link.name;
  if (const auto link = netlink::find_link(socket_, name)) {
    const auto reason = incompatibility(*link, spec_.link);
    if (reason.empty()) {
      index_ = link->index;
      adopted_ = true;
      mac_ = spec_.link.mac.value_or(link->mac);
      if (link->mac != mac_) netlink::set_mac(socket_, index_, mac_);
      if (link->mtu != spec_.link.mtu) netlink::set_mtu(socket_, index_, *spec_.link.mtu);
      spec_.link.mac = mac_;
      return;
    }
    spdlog::warn("\"{}\" already exists with incompatible configuration: {}; recreating device", name, reason);
    netlink::delete_link(socket_, link->index);
  }
  mac_ = spec_.link.mac ? *spec_.link.mac : netlink::random_mac();
  // Kept for the day on which somebody deletes the link: the peers know this one.
  spec_.link.mac = mac_;
  index_ = netlink::create_vxlan(socket_, spec_.link);
  try {
    write_sysctl(fmt::format("net/ipv6/conf/{}/accept_ra", name), "0");
  } catch (const SystemError& error) {
    spdlog::debug("{} keeps listening to router advertisements: {}", name, error.what());
  }
}

void VxlanPlane::configure(const Network& own_subnet) {
  own_ = host_network(address_of(own_subnet));
  ensure_address();
  netlink::set_up(socket_, index_);
}

void VxlanPlane::ensure_address() {
  for (const auto& present : netlink::list_addresses(socket_, index_, family(*own_))) {
    if (present.address != *own_ && contains(spec_.range.network, address_of(present.address)))
      netlink::delete_address(socket_, index_, present.address);
  }
  netlink::replace_address(socket_, index_, {.address = *own_});
}

/// One step for one peer: a failure is told, and keeps neither the other steps nor the other peers from being done.
void VxlanPlane::attempt(const std::string& peer, const std::string& what, const std::function<void()>& step) {
  try {
    step();
    complaints_.forget(peer + what);
  } catch (const Error& error) {
    complaints_.say(peer + what, fmt::format("failed to {}: {}", what, error.what()));
  }
}

std::optional<bool> VxlanPlane::one_hop_away(const Address& address) {
  if (!spec_.direct_routing) return false;
  std::optional<bool> direct;
  attempt({}, "look up the route to " + address.to_string(), [&] {
    if (const auto route = netlink::lookup_route(socket_, address))
      direct = !route->gateway && route->type == RTN_UNICAST;
  });
  return direct;
}

netlink::Route VxlanPlane::route_to(const Installed& entry) const {
  const auto& peer = entry.peer;
  if (entry.direct) return {.destination = peer.subnet, .gateway = peer.underlay};
  return {.destination = peer.subnet, .gateway = address_of(peer.subnet), .interface = index_, .onlink = true};
}

void VxlanPlane::install(const Installed& entry) {
  const auto& peer = entry.peer;
  if (!entry.direct) {
    // In this order: with the route in place first, the kernel would ask for the neighbour.
    netlink::replace_neighbour(socket_, index_, address_of(peer.subnet), peer.vtep);
    netlink::replace_fdb(socket_, index_, peer.vtep, forwarding_.at(peer.vtep));
  }
  netlink::replace_route(socket_, route_to(entry));
}

void VxlanPlane::install_all(std::span<const Installed> entries) {
  try {
    netlink::Batch batch(socket_);
    for (const auto& entry : entries) install(entry);
    batch.commit();
    return;
  } catch (const Error& error) {
    spdlog::debug("one of {} subnets can't be added: {}", entries.size(), error.what());
  }
  // Again one by one, to say which; those that went well before go well again.
  for (const auto& entry : entries)
    attempt(to_string(entry.peer.subnet),
            fmt::format("add {} of {}", to_string(entry.peer.subnet), entry.peer.underlay.to_string()),
            [&] { install(entry); });
}

void VxlanPlane::uninstall_vtep(const Installed& entry) {
  const auto subnet = to_string(entry.peer.subnet);
  const auto& vtep = entry.peer.vtep;
  attempt(subnet, "remove the neighbour of " + subnet,
          [&] { netlink::delete_neighbour(socket_, index_, address_of(entry.peer.subnet)); });
  const auto twin = std::find_if(peers_.begin(), peers_.end(), [&](const auto& other) {
    return &other.second != &entry && !other.second.direct && other.second.peer.vtep == vtep;
  });
  if (twin != peers_.end()) {
    forwarding_[vtep] = twin->second.peer.underlay;
    attempt(subnet, "forward to the other peer with the MAC of " + subnet,
            [&] { netlink::replace_fdb(socket_, index_, vtep, forwarding_[vtep]); });
  } else {
    forwarding_.erase(vtep);
    attempt(subnet, "remove the forwarding entry of " + subnet, [&] { netlink::delete_fdb(socket_, index_, vtep); });
  }
}

void VxlanPlane::uninstall(const Installed& entry) {
  spdlog::info("removing subnet: {} PublicIP: {} VtepMAC: {}", to_string(entry.peer.subnet),
               entry.peer.underlay.to_string(), netlink::to_string(entry.peer.vtep));
  if (!entry.direct) uninstall_vtep(entry);
  const auto subnet = to_string(entry.peer.subnet);
  attempt(subnet, "remove the route to " + subnet, [&] { netlink::delete_route(socket_, route_to(entry)); });
}

void VxlanPlane::set(std::span<const Peer> peers) {
  std::vector<Installed> changed;
  for (const auto& peer : peers) {
    const Installed entry{peer, one_hop_away(peer.underlay).value_or(false)};
    const auto base = address_of(peer.subnet);
    if (const auto old = peers_.find(base); old != peers_.end()) {
      if (old->second.peer.subnet != peer.subnet) {
        uninstall(old->second);
      } else if (!old->second.direct && (entry.direct || old->second.peer.vtep != peer.vtep)) {
        uninstall_vtep(old->second);
      }
    }
    spdlog::info("{} subnet: {} PublicIP: {} VtepMAC: {}", entry.direct ? "Adding direct route to" : "adding",
                 to_string(peer.subnet), peer.underlay.to_string(), netlink::to_string(peer.vtep));
    peers_.insert_or_assign(base, entry);
    if (!entry.direct) forwarding_.insert_or_assign(peer.vtep, peer.underlay);
    changed.push_back(entry);
  }
  if (!changed.empty() && !down_) install_all(changed);
}

void VxlanPlane::remove(const Network& subnet) {
  const auto found = peers_.find(address_of(subnet));
  if (found == peers_.end()) return;
  uninstall(found->second);
  peers_.erase(found);
}

const VxlanPlane::Installed* VxlanPlane::peer_of(const Network& subnet) const {
  const auto found = peers_.find(address_of(subnet));
  return found != peers_.end() && found->second.peer.subnet == subnet ? &found->second : nullptr;
}

void VxlanPlane::forget_strangers() {
  const int parent = spec_.link.parent;
  forget_plain_routes(socket_, parent, spec_.range, [this](const netlink::Route& route) {
    const auto* entry = peer_of(route.destination);
    return entry != nullptr && entry->direct && entry->peer.underlay == route.gateway;
  });
  if (!adopted_) return;
  const auto tunnelled = [this](const Address& base) {
    const auto found = peers_.find(base);
    return found != peers_.end() && !found->second.direct;
  };
  const int our_family = family(spec_.range.network);
  for (const auto& route : netlink::list_routes(socket_, our_family)) {
    if (route.interface == index_ && route.gateway && !tunnelled(address_of(route.destination)))
      attempt({}, "remove an old route", [&] { netlink::delete_route(socket_, route); });
  }
  for (const auto& neighbour : netlink::list_neighbours(socket_, our_family, index_)) {
    if (neighbour.permanent() && !tunnelled(neighbour.address) && contains(spec_.range.network, neighbour.address))
      attempt({}, "remove an old neighbour", [&] { netlink::delete_neighbour(socket_, index_, neighbour.address); });
  }
  for (const auto& entry : netlink::list_fdb(socket_, index_)) {
    if (entry.destination && (entry.state & NUD_PERMANENT) != 0 && !forwarding_.contains(entry.mac))
      attempt({}, "remove an old forwarding entry",
              [&] { netlink::delete_fdb(socket_, index_, entry.mac, entry.destination); });
  }
}

bool VxlanPlane::concerns_us(const netlink::Event& event) {
  if (const auto* link = std::get_if<netlink::Link>(&event.object)) {
    if (link->index == index_ || link->name == spec_.link.name) {
      // Each of these makes the kernel forget neighbours and leave the routes, also if it has been undone meanwhile.
      if (event.removed || link->mac != mac_ || link->index != index_) link_touched_ = true;
      return true;
    }
    if (!spec_.direct_routing || link->index != spec_.link.parent || !link->up) return false;
    // With the link go its routes, without a word about each.
    return underlay_touched_ = true;
  }
  if (const auto* address = std::get_if<netlink::InterfaceAddress>(&event.object)) {
    if (address->interface == index_) return event.removed;
    if (!spec_.direct_routing || address->interface != spec_.link.parent) return false;
    return underlay_touched_ = true;
  }
  if (const auto* route = std::get_if<netlink::Route>(&event.object)) {
    const auto* entry = peer_of(route->destination);
    return entry != nullptr && (event.removed || route->gateway != route_to(*entry).gateway);
  }
  if (const auto* neighbour = std::get_if<netlink::Neighbour>(&event.object)) {
    const auto found = peers_.find(neighbour->address);
    return neighbour->interface == index_ && found != peers_.end() && !found->second.direct &&
           (event.removed || !neighbour->permanent() || neighbour->mac != found->second.peer.vtep);
  }
  if (const auto* entry = std::get_if<netlink::FdbEntry>(&event.object)) {
    const auto found = forwarding_.find(entry->mac);
    return entry->interface == index_ && found != forwarding_.end() &&
           (event.removed || entry->destination != found->second);
  }
  return link_touched_ = underlay_touched_ = true;  // Resync
}

void VxlanPlane::heed(const std::vector<netlink::Event>& events) {
  bool look = false;
  for (const auto& event : events) look |= concerns_us(event);
  if (look && own_) repair();
}

void VxlanPlane::repair() {
  auto link = netlink::find_link(socket_, spec_.link.name);
  const bool same = link && link->index == index_;
  if (!same || link->mac != mac_) {
    spdlog::warn("{} {}; putting it right, with its {} peers", spec_.link.name,
                 same ? "has another MAC than the lease says" : "was deleted", peers_.size());
    adopt_or_create();
    if (!same) netlink::set_up(socket_, index_);
    link_touched_ = true;
    link = netlink::get_link(socket_, index_);
  }
  // Somebody wants it down. Everything comes back with it.
  down_ = !link->up;
  if (down_) return;
  ensure_address();
  if (std::exchange(underlay_touched_, false)) choose_ways();
  if (std::exchange(link_touched_, false)) {
    std::vector<Installed> all;
    for (const auto& [base, entry] : peers_) all.push_back(entry);
    install_all(all);
  } else {
    install_missing();
  }
}

/// The underlay is another than when the ways to the peers were chosen.
void VxlanPlane::choose_ways() {
  for (auto& [base, entry] : peers_) {
    const auto direct = one_hop_away(entry.peer.underlay);
    if (!direct || *direct == entry.direct) continue;
    if (*direct)
      uninstall_vtep(entry);
    else
      forwarding_.insert_or_assign(entry.peer.vtep, entry.peer.underlay);
    entry.direct = *direct;
  }
}

std::vector<VxlanPlane::Installed> VxlanPlane::incomplete() {
  const int our_family = family(spec_.range.network);
  std::set<Address> routed;
  for (const auto& route : netlink::list_routes(socket_, our_family)) {
    const auto* entry = peer_of(route.destination);
    if (entry != nullptr && route.gateway == route_to(*entry).gateway &&
        route.interface == (entry->direct ? spec_.link.parent : index_))
      routed.insert(address_of(route.destination));
  }
  std::map<Address, netlink::Mac> resolved;
  for (const auto& neighbour : netlink::list_neighbours(socket_, our_family, index_))
    if (neighbour.permanent() && neighbour.mac) resolved[neighbour.address] = *neighbour.mac;
  std::set<std::pair<netlink::Mac, Address>> forwarded;
  for (const auto& entry : netlink::list_fdb(socket_, index_))
    if (entry.destination) forwarded.emplace(entry.mac, *entry.destination);

  std::vector<Installed> lacking;
  for (const auto& [base, entry] : peers_) {
    const auto& vtep = entry.peer.vtep;
    const auto neighbour = resolved.find(base);
    const bool tunnelled = neighbour != resolved.end() && neighbour->second == vtep && !entry.direct &&
                           forwarded.contains({vtep, forwarding_.at(vtep)});
    if (!routed.contains(base) || (!entry.direct && !tunnelled)) lacking.push_back(entry);
  }
  return lacking;
}

void VxlanPlane::install_missing() {
  const auto lacking = incomplete();
  if (lacking.empty()) return;
  spdlog::warn("routes, neighbours or forwarding entries of {} peers are gone; adding them again", lacking.size());
  install_all(lacking);
}

}  // namespace knetsim::flannel
