#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "journey.h"
#include "judge.h"
#include "observed.h"

namespace knetsim::explain {

/// Everything that the causes below look at.
struct Case {
  const Attempt& attempt;
  const Journey& journey;
  const AllFacts& facts;
  const Owners& owners;
  Way way;
  const Moment& last;

  static const PlaceFacts& nothing_known() {
    static const PlaceFacts nothing;
    return nothing;
  }
  const std::string& place() const { return last.place; }
  const PlaceFacts& here() const { return facts_of(last.place); }
  const PlaceFacts& facts_of(const std::string& where) const {
    const auto found = facts.find(where);
    return found == facts.end() ? nothing_known() : found->second;
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

std::string mac_text(const std::array<std::uint8_t, 6>& bytes);
/// "C0w2" of the node that an address of a pod or a node belongs to; the address itself if nobody's.
std::string node_of(const Case& lost, const Address& address);
/// Whose it is, and what is typed, where flannel keeps what is missing; empty where there is no flannel. What flannel
/// keeps is put right by starting its daemon anew.
std::string flannel_object(const Case& lost, const std::string& of);
std::string flannel_remedy(const Case& lost);

// Causes by what is looked at; nullopt: that isn't it.

// In link_causes.cpp.
MaybeCause by_link_itself(const Case& lost, const std::string& place, const netlink::Link& link);
/// The kernel takes a link's routes away when it goes down.
MaybeCause by_vanished_route(const Case& lost, const Address& to);
MaybeCause by_neighbour(const Case& lost, const netlink::Link& link);
MaybeCause by_queue(const Case& lost, const std::string& link);
MaybeCause in_tunnel(const Case& lost, const netlink::Link& link);
/// From a bridge to the port where the MAC address lives that the frame goes to.
MaybeCause across_bridge(const Case& lost, const netlink::Link& bridge);

// In routing_causes.cpp.
Cause no_route(const Case& lost, int error);
Cause too_big(const Case& lost, const netlink::Link& link);
MaybeCause at_routing(const Case& lost, const std::string& in);

// In stack_causes.cpp: of the host that the packet is for, or that tracks its connection.
Cause nobody_listens(const Case& lost);
MaybeCause at_input(const Case& lost);
MaybeCause by_checksum(const Case& lost);
MaybeCause by_conntrack(const Case& lost);

}  // namespace knetsim::explain
