#include "judge.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "case.h"
#include "knetsim/sys/error.h"
#include "owner.h"

namespace knetsim::explain {

namespace {

using netlink::Link;

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

/// What leads the answer round the node that translated the request: a route to the asker without a gateway, where
/// all else goes by one.
std::string way_by_the_gateway(const Case& lost) {
  const auto& server = lost.journey.back.front().place;
  const auto& routes = lost.facts_of(server).routes;
  const auto& asker = lost.attempt.sent.source;
  const netlink::Route* direct = nullptr;
  std::optional<Address> gateway;
  for (const auto& route : routes) {
    if (route.type != RTN_UNICAST || is_v6(route.destination) != asker.is_v6()) continue;
    if (route.gateway && prefix_length(route.destination) == 0) gateway = route.gateway;
    if (!route.gateway && prefix_length(route.destination) > 0 && contains(route.destination, asker)) direct = &route;
  }
  if (direct == nullptr || !gateway) return {};
  return fmt::format("{} ip route replace {} via {}", server, knetsim::to_string(direct->destination),
                     gateway->to_string());
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
      "nothing has translated the answer back: it didn't come by the node that had translated the request", {},
      way_by_the_gateway(lost));
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

/// What was seen of the packet, and what is said of the links and routes that it took.
std::optional<std::string> contradicted_table(const Attempt& attempt, const Journey& journey, const AllFacts& facts) {
  for (const auto* moments : {&journey.there, &journey.back})
    for (const auto& moment : *moments) {
      const auto place = facts.find(moment.place);
      if (place == facts.end() || moment.seen == nullptr) continue;
      const auto* link = link_named(place->second, moment.seen->link);
      if (link != nullptr && !link->up)
        return fmt::format("it was seen {}, and the link is said to be down", describe(moment));
    }
  for (auto moment = journey.there.begin(); moment != journey.there.end(); ++moment) {
    const auto place = facts.find(moment->place);
    if (place == facts.end() || !place->second.taken || place->second.taken->error == 0) continue;
    const auto later =
        std::find_if(moment, journey.there.end(), [&](const Moment& one) { return one.place != moment->place; });
    if (later != journey.there.end())
      return fmt::format("the routing table of {} answers {} for {}, and yet it was seen {}", moment->place,
                         errno_text(place->second.taken->error), attempt.sent.destination.to_string(),
                         describe(*later));
  }
  return std::nullopt;
}

/// The RST's sender, if one came.
bool was_reset(const Journey& journey) {
  return !journey.back.empty() && journey.back.front().packet.protocol == Protocol::tcp &&
         (journey.back.front().packet.tcp_flags & 4U) != 0;
}

}  // namespace

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
  if (end.last == nullptr) return not_sent(attempt, attempt.source, facts, owners);
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

std::optional<std::string> contradiction(const Attempt& attempt, const Journey& journey, const AllFacts& facts,
                                         const std::string& source, bool traced) {
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
    if (const auto& last = journey.there.back(); last.place == kWires)
      return fmt::format("it was answered, and no node of the lab was seen to take it: it was last seen {}",
                         describe(last));
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
  return contradicted_table(attempt, journey, facts);
}

}  // namespace knetsim::explain
