#include "flows.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include <algorithm>

#include "knetsim/sys/error.h"

namespace knetsim::explain {

namespace {

std::uint8_t number_of(Protocol protocol, bool v6) {
  if (protocol == Protocol::tcp) return IPPROTO_TCP;
  if (protocol == Protocol::udp) return IPPROTO_UDP;
  return v6 ? static_cast<std::uint8_t>(IPPROTO_ICMPV6) : static_cast<std::uint8_t>(IPPROTO_ICMP);
}

/// The probe as it came to the place. NAT may have changed an echo's id: such an entry stays.
netlink::FlowTuple tuple_of(const Attempt& attempt, const Ends& ends) {
  const bool v6 = ends.source.is_v6();
  netlink::FlowTuple tuple{
      .source = ends.source, .destination = ends.destination, .protocol = number_of(attempt.protocol, v6)};
  if (attempt.protocol == Protocol::icmp) {
    tuple.echo_id = echo_id_of(attempt.nonce);
    tuple.icmp_type = v6 ? std::uint8_t{ICMP6_ECHO_REQUEST} : std::uint8_t{ICMP_ECHO};
  } else {
    tuple.source_port = ends.source_port;
    tuple.destination_port = ends.destination_port;
  }
  return tuple;
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
      const auto flow = conntrack.find(tuple_of(attempts[i], first->packet.ends));
      if (!flow) continue;
      conntrack.forget(*flow);
      taken.emplace_back(i, *flow);
    }
  } catch (const Error&) {
    // A kernel without it, or a namespace that goes.
  }
  return taken;
}

}  // namespace knetsim::explain
