#include "judge.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/string/replace.hpp>
#include <cerrno>

#include "knetsim/sys/error.h"
#include "owner.h"

namespace knetsim::explain {

namespace {

using netlink::Link;

const PlaceFacts kNothingKnown;

/// Everything that the causes below look at.
struct Case {
  const Attempt& attempt;
  const Journey& journey;
  const AllFacts& facts;
  const Owners& owners;
  Way way;
  const Moment& last;

  const std::string& place() const { return last.place; }
  const PlaceFacts& here() const { return facts_of(last.place); }
  const PlaceFacts& facts_of(const std::string& where) const {
    const auto found = facts.find(where);
    return found == facts.end() ? kNothingKnown : found->second;
  }
  long counted(const std::string& counter) const {
    const auto found = here().counted.find(counter);
    return found == here().counted.end() ? 0 : found->second;
  }
  /// The headers that this place looks at: those that are wrapped around, if any.
  Ends ends() const {
    if (!last.wrapped) return last.packet.ends;
    return last.passed != nullptr ? last.passed->packet.ends : last.seen->frame.outer->ends;
  }
  std::uint16_t length() const {
    if (!last.wrapped) return last.packet.length;
    return last.passed != nullptr ? last.passed->packet.length : last.seen->frame.outer->length;
  }
  /// "11.14.0.2 (C0w2/c2)"
  std::string named(const Address& address) const {
    const auto owner = owners.find(address);
    return owner == owners.end() ? address.to_string() : fmt::format("{} ({})", address.to_string(), owner->second);
  }
  std::string what() const { return last.wrapped ? "the packet in VXLAN" : "the packet"; }
  Cause found(Disposition disposition, std::string sentence, std::string cause, std::string object = {},
              std::string remedy = {}) const {
    return {disposition, way, place(), std::move(sentence), std::move(cause), std::move(object), std::move(remedy)};
  }
};

using MaybeCause = std::optional<Cause>;

std::string mac_text(const std::array<std::uint8_t, 6>& bytes) { return to_string(netlink::Mac{bytes}); }

/// What flannel keeps is put right by starting its daemon anew.
std::string flannel_remedy(const Case& lost) {
  return lost.here().has_flannel ? fmt::format("restart {} flanneld", lost.place()) : "";
}

std::string flannel_object(const Case& lost, const std::string& of) {
  if (!lost.here().has_flannel) return {};
  for (const auto& ended : lost.here().ended)
    if (ended.starts_with("flanneld")) return fmt::format("flanneld of {}, which has ended ({})", lost.place(), ended);
  return fmt::format("the lease of {}, which flanneld of {} follows", of, lost.place());
}

std::string host_of(const std::string& name) { return name.substr(0, name.find('/')); }

/// "C0w2" of the node that an address of a pod or a node belongs to; the address itself if nobody's.
std::string node_of(const Case& lost, const Address& address) {
  const auto owner = lost.owners.find(address);
  return owner == lost.owners.end() ? address.to_string() : host_of(owner->second);
}

std::string up_again(const std::string& place, const std::string& link) {
  if (place == kWires) return fmt::format("link {} up", link);
  return fmt::format("{} ip link set {} up", place, link);
}

// By a rule.

std::string text_of(const Case& lost, const Passage& passage, const Step& step) {
  const auto& rules = lost.facts_of(passage.place).rules;
  const auto table = fmt::format("{} {}", nft::to_string(step.chain.table.family), step.chain.table.name);
  const auto found = rules.find({table, step.handle});
  return found == rules.end() ? std::string() : found->second;
}

Cause dropped(const Case& lost, const Passage& passage, const Step& step) {
  const auto wrapped = lost.last.wrapped ? " (it is in VXLAN here)" : "";
  const auto chain = name_of(step.chain);
  if (step.kind == nft::TraceEvent::Kind::policy)
    return lost.found(Disposition::dropped_by_rule, fmt::format("the policy of chain {} drops it", chain),
                      fmt::format("no rule of chain {} ({} hook) accepts {}, and its policy is drop{}", chain,
                                  name_of(passage.hook), to_string(passage.packet.ends), wrapped),
                      owner_of_rule(step.chain, {}).object,
                      fmt::format("{} nft 'chain {} {{ policy accept; }}'", passage.place, chain));
  const auto text = text_of(lost, passage, step);
  const auto owner = owner_of_rule(step.chain, text);
  const bool rejects = text.find("reject") != std::string::npos;
  return lost.found(
      owner.disposition,
      fmt::format("a rule {} it: chain {}, handle {}", rejects ? "rejects" : "drops", chain, step.handle),
      fmt::format("chain {} ({} hook), handle {}: \"{}\" hit {}{}", chain, name_of(passage.hook), step.handle,
                  text.empty() ? "(it is gone)" : text, to_string(passage.packet.ends), wrapped),
      owner.object, fmt::format("{} nft delete rule {} handle {}", passage.place, chain, step.handle));
}

// At a link.

std::string state_of(const Link& link) { return !link.up ? "down" : !link.running ? "without carrier" : "up"; }

MaybeCause by_link_itself(const Case& lost, const std::string& place, const Link& link) {
  if (link.up && link.running) return std::nullopt;
  auto cause = lost.found(Disposition::link_down, fmt::format("{} is {}", link.name, state_of(link)),
                          fmt::format("{}: {}", place, to_string(link)), {}, up_again(place, link.name));
  cause.place = place == kWires ? link.name : place;
  if (place == kWires) cause.sentence = fmt::format("its cable is out: the switch's port is {}", state_of(link));
  return cause;
}

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

/// The kernel takes a link's routes away when it goes down.
MaybeCause by_vanished_route(const Case& lost, const Address& to) {
  for (const auto& one : lost.here().addresses) {
    const auto* link = link_of_index(lost.here(), one.interface);
    if (link == nullptr || link->up || !contains(canonical(one.address), to)) continue;
    return by_link_itself(lost, lost.place(), *link);
  }
  return std::nullopt;
}

// At a routing decision.

const netlink::Route* special_route(const PlaceFacts& facts, const Address& to) {
  const netlink::Route* best = nullptr;
  for (const auto& route : facts.routes) {
    if (route.type != RTN_BLACKHOLE && route.type != RTN_PROHIBIT && route.type != RTN_UNREACHABLE) continue;
    if (!contains(route.destination, to)) continue;
    if (best == nullptr || prefix_length(route.destination) > prefix_length(best->destination)) best = &route;
  }
  return best;
}

Cause no_route(const Case& lost, int error) {
  const auto to = lost.ends().destination;
  if (auto cause = by_vanished_route(lost, to)) return *cause;
  if (const auto* route = error == ENETUNREACH ? nullptr : special_route(lost.here(), to))
    return lost.found(Disposition::no_route, fmt::format("a route says no: {}", to_string(*route)),
                      fmt::format("the routing table answers {} for {}", errno_text(error), lost.named(to)), {},
                      fmt::format("{} ip route del {}", lost.place(), to_string(*route)));
  return lost.found(Disposition::no_route, fmt::format("there is no route to {}", lost.named(to)),
                    fmt::format("the routing table answers {} for {}", errno_text(error), lost.named(to)),
                    flannel_object(lost, node_of(lost, to)), flannel_remedy(lost));
}

Cause too_big(const Case& lost, const Link& link) {
  return lost.found(
      Disposition::too_big,
      fmt::format("{} bytes don't fit through {}, whose MTU is {}", lost.length(), link.name, link.mtu),
      fmt::format("{} is {} bytes long with DF set; {} takes {}", lost.what(), lost.length(), link.name, link.mtu), {},
      fmt::format("{} ip link set {} mtu {}", lost.place(), link.name, lost.length()));
}

MaybeCause by_reverse_path(const Case& lost, const std::string& in) {
  const auto& here = lost.here();
  const auto strict = [&](const std::string& link) {
    const auto found = here.rp_filter.find(link);
    return found == here.rp_filter.end() ? 0 : found->second;
  };
  const bool counted = lost.counted("TcpExt.IPReversePathFilter") > 0;
  if (!counted || std::max(strict("all"), strict(in)) == 0) return std::nullopt;
  std::string back = "there is none";
  if (here.back && here.back->way)
    if (const auto* link = link_of_index(here, here.back->way->interface)) back = "leads to " + link->name;
  return lost.found(
      Disposition::rpfilter,
      fmt::format("rp_filter refuses {} as a source of what comes by {}", lost.named(lost.ends().source), in),
      fmt::format("IPReversePathFilter rose by {}; the route back to {} {}", lost.counted("TcpExt.IPReversePathFilter"),
                  lost.ends().source.to_string(), back),
      {}, fmt::format("{} sysctl -w net/ipv4/conf/{}/rp_filter=0", lost.place(), strict("all") != 0 ? "all" : in));
}

MaybeCause at_routing(const Case& lost, const std::string& in) {
  const auto& here = lost.here();
  const auto ends = lost.ends();
  if (auto cause = by_reverse_path(lost, in)) return cause;
  const bool foreign = !has_address(here, ends.destination);
  if (foreign && !here.forwards)
    return lost.found(Disposition::not_forwarding, "it doesn't forward packets",
                      fmt::format("{} isn't an address of {}, and {} is 0", lost.named(ends.destination), lost.place(),
                                  ends.destination.is_v6() ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward"),
                      {},
                      fmt::format("{} sysctl -w {}=1", lost.place(),
                                  ends.destination.is_v6() ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward"));
  if (!here.onward) return std::nullopt;
  if (here.onward->error != 0) return no_route(lost, here.onward->error);
  const auto* out = here.onward->way ? link_of_index(here, here.onward->way->interface) : nullptr;
  if (foreign && out != nullptr && lost.length() > out->mtu && lost.last.packet.dont_fragment)
    return too_big(lost, *out);
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

MaybeCause when_sending(const Case& lost, const std::string& out) {
  const auto* link = link_named(lost.here(), out);
  if (link == nullptr) return std::nullopt;
  // A bridge has no carrier where none of its ports has: the port is what is down.
  if (auto cause = by_link_itself(lost, lost.place(), *link); cause && (link->kind != "bridge" || !link->up))
    return cause;
  if (lost.length() > link->mtu && lost.last.packet.dont_fragment) return too_big(lost, *link);
  if (auto cause = by_neighbour(lost, *link)) return cause;
  return by_queue(lost, out);
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

/// Who has a MAC address, among links whose peers are ports here.
std::optional<std::pair<std::string, const Link*>> port_of(const Case& lost, const std::array<std::uint8_t, 6>& mac) {
  for (const auto& link : lost.here().links) {
    if (link.kind != "veth") continue;
    const auto peer = peer_of(lost.place(), link, lost.facts);
    if (peer && peer->link->mac.bytes == mac) return std::pair(peer->place, &link);
  }
  return std::nullopt;
}

/// From a bridge to the port where the MAC address lives that the frame goes to.
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

MaybeCause after_leaving(const Case& lost) {
  const auto& seen = *lost.last.seen;
  const auto* link = link_named(lost.here(), seen.link);
  if (link == nullptr) return std::nullopt;
  if (!lost.last.wrapped && link->kind == "vxlan") return in_tunnel(lost, *link);
  if (link->kind == "bridge") return across_bridge(lost, *link);
  const auto peer = peer_of(lost.place(), *link, lost.facts);
  if (peer)
    if (auto cause = by_link_itself(lost, peer->place, *peer->link)) return cause;
  if (auto cause = by_link_itself(lost, lost.place(), *link)) return cause;
  return by_queue(lost, seen.link);
}

// At the end of the way.

std::string where_it_listens(const std::vector<Listener>& listeners) {
  std::string text;
  for (const auto& one : listeners)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", one.address.to_string(), one.port);
  return text;
}

Cause nobody_listens(const Case& lost) {
  const auto& here = lost.here();
  const auto ends = lost.way == Way::there ? lost.last.packet.ends : lost.last.packet.ends.reversed();
  std::vector<Listener> at_port;
  std::vector<Listener> others;
  for (const auto& one : here.listeners) {
    if (one.protocol != lost.attempt.protocol) continue;
    (one.port == ends.destination_port ? at_port : others).push_back(one);
  }
  const auto protocol = name_of(lost.attempt.protocol);
  if (at_port.empty())
    return lost.found(Disposition::no_listener,
                      fmt::format("nobody listens on {} port {}", protocol, ends.destination_port),
                      others.empty() ? fmt::format("{} has no {} socket that listens", lost.place(), protocol)
                                     : fmt::format("{} listens on {} alone", lost.place(), where_it_listens(others)),
                      {},
                      lost.attempt.protocol == Protocol::tcp
                          ? fmt::format("{} python3 -m http.server {} &", lost.place(), ends.destination_port)
                          : "");
  const bool fits = std::any_of(at_port.begin(), at_port.end(), [&](const Listener& one) {
    return one.address.is_unspecified() || one.address == ends.destination;
  });
  if (!fits)
    return lost.found(
        Disposition::wrong_bind,
        fmt::format("what listens on {} port {} is bound to {}", protocol, ends.destination_port,
                    at_port.front().address.to_string()),
        fmt::format("it listens on {}, and was asked at {}", where_it_listens(at_port), ends.destination.to_string()));
  if (lost.counted("TcpExt.ListenOverflows") > 0)
    return lost.found(Disposition::refused, "the program doesn't accept its connections: its queue is full",
                      fmt::format("ListenOverflows rose by {}; {} connections wait",
                                  lost.counted("TcpExt.ListenOverflows"), at_port.front().waiting));
  return lost.found(Disposition::unexplained, "it got to a socket that listens, and no answer came",
                    fmt::format("{} listens", where_it_listens(at_port)));
}

MaybeCause at_input(const Case& lost) {
  const auto& here = lost.here();
  if (lost.last.wrapped) {
    const auto* outer = lost.last.passed != nullptr ? nullptr : &*lost.last.seen->frame.outer;
    const auto port = lost.ends().destination_port;
    const Link* tunnel = nullptr;
    for (const auto& link : here.links)
      if (link.vxlan && link.vxlan->port == port && (outer == nullptr || link.vxlan->vni == outer->vni)) tunnel = &link;
    if (tunnel == nullptr)
      return lost.found(Disposition::link_down, fmt::format("it has no VXLAN link for UDP port {}", port),
                        "the packet came to the node, and no link takes it out of VXLAN",
                        flannel_object(lost, lost.place()), flannel_remedy(lost));
    return by_link_itself(lost, lost.place(), *tunnel);
  }
  if (!has_address(here, lost.ends().destination)) return std::nullopt;
  if (lost.attempt.protocol == Protocol::icmp) {
    if (lost.way == Way::there && here.ignores_echo)
      return lost.found(Disposition::refused, "it ignores echo requests", "net.ipv4.icmp_echo_ignore_all is 1", {},
                        fmt::format("{} sysctl -w net.ipv4.icmp_echo_ignore_all=0", lost.place()));
    return std::nullopt;
  }
  if (lost.way == Way::there) return nobody_listens(lost);
  return std::nullopt;
}

MaybeCause by_checksum(const Case& lost) {
  for (const auto* counter : {"IpExt.InCsumErrors", "Udp.InCsumErrors", "Tcp.InCsumErrors", "Icmp.InCsumErrors"})
    if (lost.counted(counter) > 0)
      return lost.found(Disposition::bad_checksum, "its checksum is wrong",
                        fmt::format("{} rose by {}", counter, lost.counted(counter)));
  return std::nullopt;
}

MaybeCause by_conntrack(const Case& lost) {
  for (const auto* counter : {"conntrack.drop", "conntrack.early_drop", "conntrack.insert_failed"})
    if (lost.counted(counter) > 0)
      return lost.found(Disposition::conntrack_full, "connection tracking has no room for it",
                        fmt::format("{} rose by {}: the packet got to connection tracking and no further", counter,
                                    lost.counted(counter)),
                        {}, fmt::format("{} sysctl -w net.netfilter.nf_conntrack_max=262144", lost.place()));
  return std::nullopt;
}

/// Whether a chain of ours at the very end of this hook was reached, by the headers that the packet has here.
bool passed_late(const Case& lost, nft::HookPoint hook) {
  for (const auto& moment : lost.journey.of(lost.way))
    if (moment.passed != nullptr && moment.place == lost.place() && moment.wrapped == lost.last.wrapped &&
        moment.passed->ours && moment.passed->hook == hook && moment.passed->priority > 0)
      return true;
  return false;
}

MaybeCause after_passing(const Case& lost) {
  const auto& passage = *lost.last.passed;
  switch (passage.hook) {
    case nft::HookPoint::prerouting:
      if (!passed_late(lost, passage.hook))
        if (auto cause = by_conntrack(lost)) return cause;
      if (auto cause = by_checksum(lost)) return cause;
      return at_routing(lost, passage.in);
    case nft::HookPoint::input:
      if (auto cause = by_checksum(lost)) return cause;
      return at_input(lost);
    case nft::HookPoint::output:
      if (!passed_late(lost, passage.hook))
        if (auto cause = by_conntrack(lost)) return cause;
      return when_sending(lost, passage.out);
    case nft::HookPoint::forward:
    case nft::HookPoint::postrouting:
      return when_sending(lost, passage.out);
  }
  return std::nullopt;
}

MaybeCause after_coming(const Case& lost) {
  const auto& here = lost.here();
  const auto& seen = *lost.last.seen;
  const auto* link = link_named(here, seen.link);
  if (auto cause = by_checksum(lost)) return cause;
  if (link != nullptr && link->master != 0) {
    const auto* bridge = link_of_index(here, link->master);
    if (bridge != nullptr && !bridge->up) return by_link_itself(lost, lost.place(), *bridge);
    // A frame that isn't for the bridge itself goes out by another port.
    if (bridge != nullptr && bridge->mac.bytes != seen.frame.destination) return across_bridge(lost, *bridge);
    return std::nullopt;
  }
  if (lost.place() == kWires && link != nullptr) return std::nullopt;
  if (auto cause = at_routing(lost, seen.link)) return cause;
  return at_input(lost);
}

MaybeCause by_stray(const Case& lost) {
  if (lost.journey.strays.empty()) return std::nullopt;
  const auto& stray = lost.journey.strays.back();
  if (stray.place != lost.place() && lost.place() != kWires) return std::nullopt;
  const auto mac = mac_text(stray.seen->frame.destination);
  const auto* link = link_named(lost.facts_of(stray.place), stray.seen->link);
  if (link == nullptr || link->mac.bytes == stray.seen->frame.destination) return std::nullopt;
  // What a switch floods comes to many: only where nobody has the address it says something.
  const bool somebodys = std::any_of(lost.facts.begin(), lost.facts.end(), [&](const auto& place) {
    return std::any_of(place.second.links.begin(), place.second.links.end(),
                       [&](const Link& one) { return one.mac.bytes == stray.seen->frame.destination; });
  });
  if (somebodys && link->kind != "vxlan") return std::nullopt;
  auto cause = lost.found(Disposition::wrong_mac,
                          fmt::format("a frame for {} came by {}, which has {}", mac, link->name, to_string(link->mac)),
                          fmt::format("{} saw it and left it alone: it isn't for it", stray.place));
  cause.place = stray.place;
  // Who sent it there believes an old address.
  for (const auto& moment : lost.journey.of(lost.way)) {
    const auto& facts = lost.facts_of(moment.place);
    for (const auto& one : facts.neighbours)
      if (one.mac && one.mac->bytes == stray.seen->frame.destination) {
        const auto* by = link_of_index(facts, one.interface);
        cause.object = fmt::format("the neighbour table of {}: {}", moment.place, to_string(one));
        cause.remedy = by != nullptr && by->kind == "vxlan"
                           ? fmt::format("restart {} flanneld", stray.place)
                           : fmt::format("{} ip neighbour del {} dev {}", moment.place, one.address.to_string(),
                                         by != nullptr ? by->name : "eth0");
      }
  }
  return cause;
}

/// Of a probe that the source's own stack refused to send.
Cause not_sent(const Attempt& attempt, const std::string& source, const AllFacts& facts, const Owners& owners) {
  const Packet packet{
      .ends = attempt.sent, .protocol = attempt.protocol, .length = attempt.length, .dont_fragment = true};
  const Journey none;
  const Moment start{.place = source, .packet = packet};
  const Case lost{attempt, none, facts, owners, Way::there, start};
  const auto error = attempt.outcome.error;
  if (error == EMSGSIZE) {
    const auto& here = lost.here();
    if (here.onward && here.onward->way)
      if (const auto* out = link_of_index(here, here.onward->way->interface)) return too_big(lost, *out);
    return lost.found(Disposition::too_big, fmt::format("{} bytes are too long for the route", attempt.length),
                      "the kernel refuses to send it: " + errno_text(error));
  }
  if (error == EHOSTUNREACH || error == ENETUNREACH || error == EACCES || error == EINVAL) return no_route(lost, error);
  return lost.found(Disposition::unexplained, "the kernel refused to send it",
                    fmt::format("the socket was told {}", errno_text(error)));
}

/// Somebody said no.
MaybeCause by_complaint(const Case& lost) {
  if (lost.journey.complaints.empty()) return std::nullopt;
  const auto& first = lost.journey.complaints.front();
  const auto& icmp = first.packet;
  const bool v6 = icmp.ends.source.is_v6();
  const auto says = fmt::format("{} says \"{}\" to {}", lost.named(icmp.ends.source), what_of(icmp),
                                icmp.ends.destination.to_string());
  if (v6 ? icmp.icmp_type == 2 : icmp.icmp_type == 3 && icmp.icmp_code == 4) {
    auto cause = lost.found(
        Disposition::too_big,
        fmt::format("{} bytes are too long for its way on, which takes {}", lost.length(), icmp.next_mtu), says);
    cause.place = first.place;
    return cause;
  }
  if (v6 ? icmp.icmp_type == 3 : icmp.icmp_type == 11) {
    auto cause = lost.found(Disposition::no_route, "the packet goes in circles until its time is over", says);
    cause.place = first.place;
    return cause;
  }
  auto cause = lost.found(Disposition::refused, fmt::format("{} refuses it", lost.named(icmp.ends.source)), says);
  cause.place = first.place;
  return cause;
}

MaybeCause at_trail_end(const Case& lost) {
  if (auto cause = by_stray(lost)) return cause;
  if (lost.last.passed != nullptr) return after_passing(lost);
  return lost.last.seen->direction == Sighting::Direction::out ? after_leaving(lost) : after_coming(lost);
}

/// The answer came to the source, but not from where the source had asked.
MaybeCause not_recognized(const Case& lost) {
  if (lost.way != Way::back || lost.journey.there.empty()) return std::nullopt;
  if (lost.place() != lost.journey.there.front().place) return std::nullopt;
  const auto& ends = lost.last.packet.ends;
  if (lost.last.wrapped || ends == lost.attempt.sent.reversed()) return std::nullopt;
  return lost.found(
      Disposition::refused,
      fmt::format("it asked {}, and the answer comes from {}", lost.named(lost.attempt.sent.destination),
                  lost.named(ends.source)),
      "nothing has translated the answer back: it didn't come by the node that had translated the request");
}

Cause unexplained(const Case& lost) {
  return lost.found(Disposition::unexplained, fmt::format("it was last seen {}", describe(lost.last)),
                    "no witness names the cause");
}

const Moment* first_drop(const std::vector<Moment>& moments) {
  const auto found = std::find_if(moments.begin(), moments.end(), [](const Moment& moment) {
    return moment.passed != nullptr && moment.passed->dropped_by() != nullptr;
  });
  return found == moments.end() ? nullptr : &*found;
}

/// The RST's sender, if one came.
bool was_reset(const Journey& journey) {
  return !journey.back.empty() && journey.back.front().packet.protocol == Protocol::tcp &&
         (journey.back.front().packet.tcp_flags & 4U) != 0;
}

}  // namespace

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

bool came_through(const Attempt& attempt, const Journey& journey) {
  if (attempt.outcome.kind == Outcome::Kind::answered) return true;
  if (attempt.protocol != Protocol::udp || attempt.outcome.kind != Outcome::Kind::silent) return false;
  // UDP needn't answer: it came through where the destination's stack took it, and nobody complained.
  if (!journey.complaints.empty() || journey.there.empty() || !journey.back.empty()) return false;
  const auto& last = journey.there.back();
  return last.passed != nullptr && !last.wrapped && last.passed->hook == nft::HookPoint::input && last.passed->ours &&
         last.passed->priority > 0;
}

TrailEnd trail_end(const Journey& journey) {
  if (const auto* drop = first_drop(journey.there)) return {Way::there, drop};
  if (const auto* drop = first_drop(journey.back)) return {Way::back, drop};
  if (!journey.back.empty() && !was_reset(journey)) return {Way::back, &journey.back.back()};
  if (!journey.there.empty()) return {Way::there, &journey.there.back()};
  return {};
}

Cause cause_of(const Attempt& attempt, const Journey& journey, const AllFacts& facts, const Owners& owners) {
  const auto end = trail_end(journey);
  if (end.last == nullptr) {
    const auto source = std::find_if(facts.begin(), facts.end(), [&](const auto& place) {
      return place.first != kWires && has_address(place.second, attempt.sent.source);
    });
    return not_sent(attempt, source == facts.end() ? std::string() : source->first, facts, owners);
  }
  const Case lost{attempt, journey, facts, owners, end.way, *end.last};
  if (end.last->passed != nullptr)
    if (const auto* step = end.last->passed->dropped_by()) return dropped(lost, *end.last->passed, *step);
  // Who resets a connection got it: nobody listens.
  if (was_reset(journey)) {
    const Case refused{attempt, journey, facts, owners, Way::back, journey.back.front()};
    if (has_address(refused.here(), journey.back.front().packet.ends.source)) {
      auto cause = nobody_listens(refused);
      cause.way = Way::there;
      return cause;
    }
  }
  if (auto cause = not_recognized(lost)) return *cause;
  if (attempt.outcome.kind == Outcome::Kind::not_sent && lost.last.passed == nullptr)
    return not_sent(attempt, lost.place(), facts, owners);
  if (auto cause = at_trail_end(lost); cause && cause->disposition != Disposition::unexplained) return *cause;
  if (auto cause = by_complaint(lost)) return *cause;
  return unexplained(lost);
}

std::optional<std::string> contradiction(const Attempt& attempt, const Journey& journey, const std::string& source,
                                         bool traced) {
  for (const auto* moments : {&journey.there, &journey.back}) {
    const auto* drop = first_drop(*moments);
    if (drop != nullptr && drop != &moments->back() && moments->back().place != drop->place)
      return fmt::format("nftrace says that chain {} at {} dropped it, and yet it was seen {}",
                         name_of(drop->passed->chain), drop->place, describe(moments->back()));
  }
  if (attempt.outcome.kind == Outcome::Kind::answered) {
    if (const auto* drop = first_drop(journey.there))
      return fmt::format("nftrace says that chain {} at {} dropped it, and yet it was answered",
                         name_of(drop->passed->chain), drop->place);
    if (journey.there.empty()) return "it was answered, and nobody saw it leave";
  }
  const bool seen = std::any_of(journey.there.begin(), journey.there.end(),
                                [](const Moment& moment) { return moment.seen != nullptr; });
  const bool passed = std::any_of(journey.there.begin(), journey.there.end(), [&](const Moment& moment) {
    return moment.passed != nullptr && moment.place == source;
  });
  if (traced && seen && !passed) return fmt::format("it was seen leaving {}, of which nftrace knows nothing", source);
  const bool forwarded = std::any_of(journey.there.begin(), journey.there.end(), [&](const Moment& moment) {
    return moment.passed != nullptr && moment.place != source;
  });
  if (forwarded && !seen) return "nftrace followed it from node to node, and no packet socket saw it";
  return std::nullopt;
}

}  // namespace knetsim::explain
