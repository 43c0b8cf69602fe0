// What is wrong with links, bridges, tunnels and neighbours.
#include <fmt/format.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <boost/algorithm/string/replace.hpp>
#include <utility>

#include "case.h"
#include "knetsim/sys/error.h"

namespace knetsim::explain {

namespace {

using netlink::Link;

std::string up_again(const std::string& place, const std::string& link) {
  if (place == kWires) return fmt::format("link {} up", link);
  return fmt::format("{} ip link set {} up", place, link);
}

std::string state_of(const Link& link) { return !link.up ? "down" : !link.running ? "without carrier" : "up"; }

/// The cable of whose an address is: both its ends, and whether the worker's is in a bridge.
MaybeCause by_cable_of(const Case& lost, const Address& address) {
  const auto owner = lost.owners.find(address);
  if (owner == lost.owners.end()) return std::nullopt;
  const auto* link = link_named(lost.facts_of(owner->second), "eth0");
  if (link == nullptr) return std::nullopt;
  const auto peer = peer_of(owner->second, *link, lost.facts);
  if (!link->up || !peer) return by_link_itself(lost, owner->second, *link);
  if (auto cause = by_link_itself(lost, peer->place, *peer->link)) return cause;
  if (peer->link->master != 0 || peer->place == kWires) return by_link_itself(lost, owner->second, *link);
  auto cause = lost.found(Disposition::link_down,
                          fmt::format("{}, which leads to {}, is in no bridge", peer->link->name, owner->second),
                          fmt::format("{}: {}", peer->place, to_string(*peer->link)), {},
                          fmt::format("{} ip link set {} master cni0", peer->place, peer->link->name));
  cause.place = peer->place;
  return cause;
}

/// Who has a MAC address, among links whose peers are ports here.
std::optional<std::pair<std::string, const Link*>> port_of(const Case& lost, const std::array<std::uint8_t, 6>& mac) {
  for (const auto& link : lost.here().links) {
    if (link.kind != "veth") continue;
    const auto peer = peer_of(lost.place(), link, lost.facts);
    if (peer && peer->link->mac.bytes == mac) return std::pair(peer->place, &link);
  }
  return std::nullopt;
}

}  // namespace

MaybeCause by_link_itself(const Case& lost, const std::string& place, const Link& link) {
  if (link.up && link.running) return std::nullopt;
  auto cause = lost.found(Disposition::link_down, fmt::format("{} is {}", link.name, state_of(link)),
                          fmt::format("{}: {}", place, to_string(link)), {}, up_again(place, link.name));
  cause.place = place == kWires ? link.name : place;
  if (place == kWires) cause.sentence = fmt::format("its cable is out: the switch's port is {}", state_of(link));
  return cause;
}

MaybeCause by_vanished_route(const Case& lost, const Address& to) {
  for (const auto& one : lost.here().addresses) {
    const auto* link = link_of_index(lost.here(), one.interface);
    if (link == nullptr || link->up || !contains(canonical(one.address), to)) continue;
    return by_link_itself(lost, lost.place(), *link);
  }
  return std::nullopt;
}

MaybeCause by_neighbour(const Case& lost, const Link& link) {
  const auto& here = lost.here();
  if (!here.onward || !here.onward->way) return std::nullopt;
  const auto next = here.onward->way->gateway.value_or(lost.ends().destination);
  const auto known = std::find_if(here.neighbours.begin(), here.neighbours.end(), [&](const netlink::Neighbour& one) {
    return one.interface == link.index && one.address == next;
  });
  const bool resolved =
      known != here.neighbours.end() && known->mac.has_value() && (known->state & (NUD_FAILED | NUD_INCOMPLETE)) == 0;
  if (resolved) return std::nullopt;
  if (auto cause = by_cable_of(lost, next)) return cause;
  const bool flannels = link.kind == "vxlan";
  return lost.found(
      Disposition::no_neighbour, fmt::format("nobody answers for {} on {}", lost.named(next), link.name),
      fmt::format("the neighbour table has {}",
                  known == here.neighbours.end()
                      ? "no entry for it"
                      : boost::algorithm::replace_first_copy(to_string(*known), fmt::format("dev {}", link.index),
                                                             fmt::format("dev {}", link.name))),
      flannels ? flannel_object(lost, node_of(lost, lost.ends().destination)) : "",
      flannels ? flannel_remedy(lost) : "");
}

MaybeCause by_queue(const Case& lost, const std::string& link) {
  for (const auto* counter : {"queue_dropped", "tx_dropped"})
    if (const auto dropped = lost.counted(link + "." + counter); dropped > 0)
      return lost.found(Disposition::lost_on_wire, fmt::format("the queue of {} dropped it", link),
                        fmt::format("{} of {} rose by {}", counter, link, dropped), {},
                        fmt::format("{} tc qdisc del dev {} root", lost.place(), link));
  return std::nullopt;
}

MaybeCause in_tunnel(const Case& lost, const Link& link) {
  const auto& here = lost.here();
  const auto mac = netlink::Mac{lost.last.seen->frame.destination};
  const auto entry = std::find_if(here.fdb.begin(), here.fdb.end(), [&](const netlink::FdbEntry& one) {
    return one.interface == link.index && one.mac == mac && one.destination;
  });
  const auto of = node_of(lost, lost.last.packet.ends.destination);
  if (entry == here.fdb.end())
    return lost.found(
        Disposition::no_neighbour, fmt::format("{} knows no VTEP for {}", link.name, to_string(mac)),
        fmt::format("the FDB of {} has no entry for {}, to which the packet was sent", link.name, to_string(mac)),
        flannel_object(lost, of), flannel_remedy(lost));
  if (here.tunnel && here.tunnel->error != 0)
    return lost.found(Disposition::no_route,
                      fmt::format("there is no route to the VTEP {}", lost.named(*entry->destination)),
                      fmt::format("the routing table answers {} for it", errno_text(here.tunnel->error)));
  return std::nullopt;
}

MaybeCause across_bridge(const Case& lost, const Link& bridge) {
  const auto& mac = lost.last.seen->frame.destination;
  if (auto cause = by_link_itself(lost, lost.place(), bridge); cause && !bridge.up) return cause;
  const auto port = port_of(lost, mac);
  if (!port) {
    const auto to = lost.ends().destination;
    for (const auto& [place, facts] : lost.facts)
      for (const auto& link : facts.links)
        if (has_address(facts, to) && link.name == "eth0" && link.mac.bytes != mac)
          return lost.found(Disposition::wrong_mac,
                            fmt::format("{} goes to {}, which nobody has: {} has {}", lost.what(), mac_text(mac), place,
                                        to_string(link.mac)),
                            fmt::format("the frame left by {} to {}", bridge.name, mac_text(mac)), {},
                            fmt::format("{} ip neighbour flush dev {}", lost.place(), bridge.name));
    return std::nullopt;
  }
  const auto& [owner, link] = *port;
  const auto peer = peer_of(lost.place(), *link, lost.facts);
  if (peer && !peer->link->up) return by_link_itself(lost, peer->place, *peer->link);
  if (link->master == 0)
    return lost.found(Disposition::link_down, fmt::format("{}, which leads to {}, is in no bridge", link->name, owner),
                      fmt::format("the frame is for {}, at the other end of {}", mac_text(mac), to_string(*link)), {},
                      lost.place() == kWires
                          ? ""
                          : fmt::format("{} ip link set {} master {}", lost.place(), link->name, bridge.name));
  if (auto cause = by_link_itself(lost, lost.place(), *link)) return cause;
  if (peer)
    if (auto cause = by_link_itself(lost, peer->place, *peer->link)) return cause;
  const auto& moments = lost.journey.of(lost.way);
  const bool came_by_it = std::any_of(moments.begin(), moments.end(), [&, name = link->name](const Moment& moment) {
    return moment.seen != nullptr && moment.place == lost.place() && moment.seen->link == name &&
           moment.seen->direction == Sighting::Direction::in;
  });
  if (!came_by_it || link->hairpin) return std::nullopt;
  return lost.found(Disposition::link_down, fmt::format("{} sends nothing back that came by it", link->name),
                    fmt::format("the packet came by {} and has to leave by it; as a port of {} it has no hairpin mode",
                                link->name, bridge.name),
                    {}, fmt::format("{} bridge link set dev {} hairpin on", lost.place(), link->name));
}

std::optional<Peer> peer_of(const std::string& place, const Link& link, const AllFacts& facts) {
  const auto find = [&](const std::string& where, const auto& fits) -> std::optional<Peer> {
    const auto found = facts.find(where);
    if (found == facts.end()) return std::nullopt;
    for (const auto& one : found->second.links)
      if (fits(one)) return Peer{where, &one};
    return std::nullopt;
  };
  const auto joined = [&](const Link& one) {
    return one.kind == "veth" && one.index == link.parent && one.parent == link.index;
  };
  if (link.kind != "veth") return std::nullopt;
  if (place == kWires) return find(link.name, joined);
  const bool is_pod = place.find('/') != std::string::npos;
  if (is_pod) return find(place.substr(0, place.find('/')), joined);
  if (auto peer = find(kWires, [&](const Link& one) { return one.name == place && joined(one); })) return peer;
  for (const auto& [where, unused] : facts)
    if (where.starts_with(place + "/"))
      if (auto peer = find(where, joined)) return peer;
  return std::nullopt;
}

}  // namespace knetsim::explain
