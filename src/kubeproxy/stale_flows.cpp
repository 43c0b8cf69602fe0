#include "stale_flows.h"

#include <netinet/in.h>

#include <map>
#include <set>

#include "knetsim/netlink/conntrack.h"

namespace knetsim::kubeproxy {

namespace {

/// Who answers for each address that a flow may have been sent to; nobody, for one that isn't served any more.
using Answering = std::map<Address, std::set<Address>>;

Answering answering_for_changed(const std::vector<Service>& before, const std::vector<Service>& now) {
  std::map<Address, const Service*> known;
  for (const Service& service : before) known.emplace(service.address, &service);
  Answering changed;
  for (const Service& service : now) {
    const auto old = known.find(service.address);
    const bool same = old != known.end() && *old->second == service;
    if (old != known.end()) known.erase(old);
    if (same) continue;
    std::set<Address>& answering = changed[service.address];
    for (const Endpoint& endpoint : service.endpoints)
      if (!endpoint.gone) answering.insert(endpoint.address);
  }
  for (const auto& [address, removed] : known) changed.try_emplace(address);
  return changed;
}

/// What only the endpoint that has it can go on with.
bool is_connection(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

}  // namespace

void forget_stale_flows(const NetNs& netns, const std::vector<Service>& before, const std::vector<Service>& now) {
  const Answering changed = answering_for_changed(before, now);
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
