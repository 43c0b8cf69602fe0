// What is wrong with where a place sends a packet on.
#include <fmt/format.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>

#include "case.h"
#include "knetsim/sys/error.h"

namespace knetsim::explain {

namespace {

const netlink::Route* special_route(const PlaceFacts& facts, const Address& to) {
  const netlink::Route* best = nullptr;
  for (const auto& route : facts.routes) {
    if (route.type != RTN_BLACKHOLE && route.type != RTN_PROHIBIT && route.type != RTN_UNREACHABLE) continue;
    if (!contains(route.destination, to)) continue;
    if (best == nullptr || prefix_length(route.destination) > prefix_length(best->destination)) best = &route;
  }
  return best;
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

}  // namespace

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

Cause too_big(const Case& lost, const netlink::Link& link) {
  return lost.found(
      Disposition::too_big,
      fmt::format("{} bytes don't fit through {}, whose MTU is {}", lost.length(), link.name, link.mtu),
      fmt::format("{} is {} bytes long with DF set; {} takes {}", lost.what(), lost.length(), link.name, link.mtu), {},
      fmt::format("{} ip link set {} mtu {}", lost.place(), link.name, lost.length()));
}

MaybeCause at_routing(const Case& lost, const std::string& in) {
  const auto& here = lost.here();
  const auto ends = lost.ends();
  if (auto cause = by_reverse_path(lost, in)) return cause;
  const bool foreign = !has_address(here, ends.destination);
  const auto sysctl = forwarding_sysctl(ends.destination.is_v6());
  if (foreign && !here.of_family(ends.destination).forwards)
    return lost.found(
        Disposition::not_forwarding, "it doesn't forward packets",
        fmt::format("{} isn't an address of {}, and {} is 0", lost.named(ends.destination), lost.place(), sysctl), {},
        fmt::format("{} sysctl -w {}=1", lost.place(), sysctl));
  if (!here.onward) return std::nullopt;
  if (here.onward->error != 0) return no_route(lost, here.onward->error);
  const auto* out = here.onward->way ? link_of_index(here, here.onward->way->interface) : nullptr;
  if (foreign && out != nullptr && lost.length() > out->mtu && lost.last.packet.dont_fragment)
    return too_big(lost, *out);
  return std::nullopt;
}

}  // namespace knetsim::explain
