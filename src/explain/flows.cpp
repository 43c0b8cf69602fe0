#include "flows.h"

#include <netinet/in.h>

#include <algorithm>

#include "knetsim/sys/error.h"

namespace knetsim::explain {

namespace {

std::uint8_t number_of(Protocol protocol, bool v6) {
  if (protocol == Protocol::tcp) return IPPROTO_TCP;
  if (protocol == Protocol::udp) return IPPROTO_UDP;
  return v6 ? static_cast<std::uint8_t>(IPPROTO_ICMPV6) : static_cast<std::uint8_t>(IPPROTO_ICMP);
}

/// Whether it is of this probe, as it came to the place. NAT may have changed an echo's id: such an entry stays.
bool is_of(const netlink::Flow& flow, const Attempt& attempt, const Ends& ends) {
  if (attempt.protocol == Protocol::icmp) return flow.original.echo_id == static_cast<std::uint16_t>(attempt.nonce);
  return flow.original.source_port == ends.source_port && flow.original.destination_port == ends.destination_port;
}

}  // namespace

std::vector<std::pair<std::size_t, netlink::Flow>> take_flows(const Place& place, const std::vector<Attempt>& attempts,
                                                              const std::vector<Journey>& journeys) {
  std::vector<std::pair<std::size_t, netlink::Flow>> taken;
  try {
    netlink::Conntrack conntrack(*place.netns, place.name);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      const auto& there = journeys[i].there;
      const auto first = std::find_if(there.begin(), there.end(), [&](const Moment& moment) {
        return moment.place == place.name && !moment.wrapped;
      });
      if (first == there.end()) continue;
      const auto& ends = first->packet.ends;
      const netlink::FlowFilter filter{.protocol = number_of(attempts[i].protocol, ends.source.is_v6()),
                                       .original_source = ends.source,
                                       .original_destination = ends.destination};
      conntrack.remove(filter, [&](const netlink::Flow& flow) {
        if (!is_of(flow, attempts[i], ends)) return false;
        taken.emplace_back(i, flow);
        return true;
      });
    }
  } catch (const Error&) {
    // A kernel without it, or a namespace that goes.
  }
  return taken;
}

}  // namespace knetsim::explain
