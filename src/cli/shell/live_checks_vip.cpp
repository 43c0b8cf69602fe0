// Virtual addresses, tried from every worker: each has rules of its own. A check sends as many flows as there are
// containers behind an address: afterwards it is the first one's turn again.
#include <fmt/format.h>

#include <algorithm>

#include "explaining.h"
#include "live_checks.h"
#include "ping_matrix.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

using kubeproxy::Vip;

/// The container that has this address; nullptr: it is gone.
Container* holder_of(Cluster& cluster, const Address& address) {
  for (auto* container : cluster.containers())
    for (const auto& one : container->addresses())
      if (one == address) return container;
  return nullptr;
}

/// Whether the topology gives packets a way from this worker to all that is behind the address.
bool can_serve(Cluster& cluster, const Vip& service, Worker& worker) {
  if (has_mesh(cluster)) return true;
  const auto own = worker.containers();
  return std::all_of(service.endpoints.begin(), service.endpoints.end(), [&](const auto& endpoint) {
    const auto* holder = holder_of(cluster, endpoint.address);
    return holder == nullptr || std::find(own.begin(), own.end(), holder) != own.end();
  });
}

const Node* first_client(Worker& worker, bool v6) {
  for (const auto* container : worker.containers())
    if (first_of_family(*container, v6)) return container;
  return nullptr;
}

/// An address and whoever asks it.
struct Flows {
  Cluster* cluster;
  Vip service;
  std::vector<const Node*> clients;
};

using ClientOf = const Node* (*)(Worker& worker, bool v6);

/// Every virtual address, with a client on each worker that can be served.
std::vector<Flows> flows_of(Session& session, ClientOf client_of) {
  std::vector<Flows> all;
  for (auto* cluster : session.emulation.clusters())
    for (const auto& service : cluster->vips().services()) {
      Flows flows{cluster, service, {}};
      for (auto* worker : cluster->workers())
        if (const auto* client = client_of(*worker, service.address.is_v6());
            client != nullptr && can_serve(*cluster, service, *worker))
          flows.clients.push_back(client);
      if (!flows.clients.empty()) all.push_back(std::move(flows));
    }
  return all;
}

/// From each client, a ping for each container behind the address.
void add_pings(const Flows& flows, std::vector<Ping>& pings) {
  for (const auto* client : flows.clients)
    for (std::size_t turn = 0; turn < flows.service.endpoints.size(); ++turn)
      pings.push_back({client, flows.service.address});
}

Finding reach_all(Session& session, ClientOf client_of) {
  std::vector<Ping> pings;
  for (const auto& flows : flows_of(session, client_of)) add_pings(flows, pings);
  const auto answered = send(pings, session.interrupted);
  Finding finding{.looked_at = pings.size()};
  for (std::size_t i = 0; i < pings.size();) {
    const auto& [from, to] = pings[i];
    std::size_t lost = 0;
    std::size_t sent = 0;
    for (; i < pings.size() && pings[i].from == from && pings[i].to == to; ++i, ++sent) lost += answered[i] ? 0 : 1;
    if (lost == 0) continue;
    auto wrong =
        fmt::format("{} -> {}: no answer to {} of {}", from->name(), to.to_string(), lost, count_of(sent, "ping"));
    if (finding.wrong.size() < kExplainedOfCheck && !session.interrupted())
      wrong += "\n  " + reason_in_short(session.emulation, *from, to, session.interrupted);
    finding.wrong.push_back(std::move(wrong));
  }
  return finding;
}

}  // namespace

Finding check_vips(Session& session) { return reach_all(session, first_client); }

Finding check_vips_of_workers(Session& session) {
  return reach_all(session, [](Worker& worker, bool /*v6*/) -> const Node* { return &worker; });
}

Finding check_turns(Session& session) {
  Finding finding;
  for (const auto& flows : flows_of(session, first_client)) {
    const auto& endpoints = flows.service.endpoints;
    if (endpoints.size() < 2) continue;
    ++finding.looked_at;
    std::vector<std::pair<const Container*, long>> before;
    for (const auto& endpoint : endpoints)
      if (const auto* holder = holder_of(*flows.cluster, endpoint.address))
        before.emplace_back(holder, echo_requests_received(*holder));
    std::vector<Ping> pings;
    add_pings(flows, pings);
    send(pings, session.interrupted);
    for (const auto& [holder, count] : before) {
      const auto came = echo_requests_received(*holder) - count;
      if (came < static_cast<long>(flows.clients.size()))
        finding.wrong.push_back(fmt::format("{}: {} of {} came to {}, its share is {}",
                                            flows.service.address.to_string(), came, count_of(pings.size(), "ping"),
                                            holder->name(), flows.clients.size()));
    }
  }
  return finding;
}

}  // namespace knetsim::cli::shell
