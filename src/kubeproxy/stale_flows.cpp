#include "stale_flows.h"

#include <netinet/in.h>

#include "knetsim/netlink/conntrack.h"

namespace knetsim::kubeproxy {

namespace {

/// What only the endpoint that has it can go on with.
bool is_connection(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

}  // namespace

void forget_stale_flows(const NetNs& netns, const Answering& changed) {
  if (changed.empty()) return;
  netlink::Conntrack conntrack(netns, "kube-proxy");
  // What a cluster finds that boots: then the walk through the host's whole table is spared.
  if (conntrack.count() == 0) return;
  netlink::FlowFilter filter;
  if (changed.size() == 1) filter.original_destination = changed.begin()->first;
  conntrack.remove(filter, [&](const netlink::Flow& flow) {
    const auto service = changed.find(flow.original.destination);
    return service != changed.end() && !service->second.contains(flow.reply.source) &&
           !(is_connection(flow.original.protocol) && flow.answered());
  });
}

}  // namespace knetsim::kubeproxy
