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

std::optional<Ends> ends_at(const Place& place, const Journey& journey) {
  for (const auto& moment : journey.there)
    if (moment.place == place.name && !moment.wrapped) return moment.packet.ends;
  return std::nullopt;
}

/// What the probe looks like at a place that nobody watched yet: as another one that went there, but for its own port.
std::optional<Ends> ends_like(const Place& place, const Attempt& attempt, const std::vector<Attempt>& others,
                              const std::vector<Journey>& journeys) {
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (others[i].protocol != attempt.protocol || others[i].sent.destination != attempt.sent.destination) continue;
    auto ends = ends_at(place, journeys[i]);
    if (!ends || ends->source_port != others[i].sent.source_port) continue;
    ends->source_port = attempt.sent.source_port;
    return ends;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<std::size_t, netlink::Flow>> take_flows(const Place& place, const std::vector<Attempt>& attempts,
                                                              const std::vector<Journey>& journeys) {
  std::vector<std::pair<std::size_t, netlink::Flow>> taken;
  try {
    netlink::Conntrack conntrack(*place.netns, place.name);
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      auto ends = ends_at(place, journeys[i]);
      if (!ends) ends = ends_like(place, attempts[i], attempts, journeys);
      if (!ends) continue;
      const auto flow = conntrack.find(tuple_of(attempts[i], *ends));
      if (!flow) continue;
      conntrack.forget(*flow);
      taken.emplace_back(i, *flow);
    }
  } catch (const Error&) {
    // A kernel without it, or a namespace that goes.
  }
  return taken;
}

std::vector<netlink::Flow> flows_to_the_gone(const Place& place, const Address& to, std::uint16_t port,
                                             const std::function<bool(const Address&)>& gone) {
  try {
    netlink::Conntrack conntrack(*place.netns, place.name);
    auto flows =
        conntrack.list({.protocol = IPPROTO_UDP, .original_destination = to, .original_destination_port = port});
    std::erase_if(flows, [&](const netlink::Flow& flow) { return !gone(flow.reply.source); });
    return flows;
  } catch (const Error&) {
    return {};
  }
}

}  // namespace knetsim::explain
