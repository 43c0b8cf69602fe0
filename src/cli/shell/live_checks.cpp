#include "live_checks.h"

#include <fmt/format.h>

#include "knetsim/cli/text.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/link.h"
#include "ping_matrix.h"

namespace knetsim::cli::shell {

namespace {

using Ailment = std::optional<std::string>;

/// The pings of a group that weren't answered.
Ailment unanswered(Session& session, const std::vector<Node*>& nodes) {
  const auto matrix = ping_all(nodes, session.interrupted);
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (matrix[i][j] == false)
        missing.push_back(
            fmt::format("{} -> {} ({})", nodes[i]->name(), nodes[j]->name(), nodes[j]->address().to_string()));
  if (missing.empty()) return std::nullopt;
  return "no answer: " + join(missing, ", ");
}

Ailment workers(Session& session) {
  std::vector<Node*> hosts;
  for (auto* cluster : session.emulation.clusters()) {
    for (auto* node : cluster->etcd_nodes()) hosts.push_back(node);
    for (auto* worker : cluster->workers()) hosts.push_back(worker);
  }
  return unanswered(session, hosts);
}

Ailment etcd(Session& session) {
  for (auto* cluster : session.emulation.clusters()) {
    if (cluster->etcd_nodes().empty()) continue;
    for (auto& member : cluster->etcd().members())
      if (auto ailment = member.ailment()) return fmt::format("{}: {}", member.spec().name, *ailment);
  }
  return std::nullopt;
}

Ailment flannel_on(Worker& worker) {
  if (!worker.flanneld().process().running()) return worker.name() + ": flanneld doesn't run";
  const auto env = flannel::read_subnet_env(worker.subnet_file());
  auto socket = worker.netlink();
  for (const auto& link : netlink::list_links(socket))
    if (link.kind == "vxlan" && link.up && link.running) return std::nullopt;
  // Backends without a tunnel have routes alone.
  return env.mtu == 1450 ? Ailment(worker.name() + ": no tunnel interface is up") : std::nullopt;
}

Ailment flannel(Session& session) {
  for (auto* cluster : session.emulation.clusters())
    for (auto* worker : cluster->workers())
      if (worker->has_flanneld())
        if (auto ailment = flannel_on(*worker)) return ailment;
  return std::nullopt;
}

Ailment pod_to_pod(Session& session) {
  for (auto* cluster : session.emulation.clusters()) {
    std::vector<Node*> pods;
    for (auto* container : cluster->containers()) pods.push_back(container);
    if (auto ailment = unanswered(session, pods)) return ailment;
  }
  return std::nullopt;
}

// One flow for each endpoint: afterwards it is the first one's turn again.
Ailment vip(Session& session) {
  for (auto* cluster : session.emulation.clusters()) {
    const auto pods = cluster->containers();
    if (pods.empty()) continue;
    for (const auto& service : cluster->services())
      for (std::size_t turn = 0; turn < service.endpoints.size(); ++turn) {
        const auto address = service.address.to_string();
        if (!pods.front()->exec({"ping", "-q", "-c", "1", "-W", "3", address}).ok())
          return fmt::format("{} -> {}: no answer to ping {} of {}", pods.front()->name(), address, turn + 1,
                             service.endpoints.size());
      }
  }
  return std::nullopt;
}

Ailment skupper(Session& session) {
  session.emulation.service_network().wait_until_ready(std::chrono::seconds(5));
  return std::nullopt;
}

Ailment daemons(Session& session) {
  const auto ailments = session.emulation.ailments();
  return ailments.empty() ? std::nullopt : Ailment(join(ailments, "\n"));
}

}  // namespace

const std::vector<LiveCheck>& live_checks() {
  static const std::vector<LiveCheck> all{
      {"workers", "workers and etcd nodes reach each other", workers},
      {"etcd", "every member of etcd is healthy", etcd},
      {"flannel", "flannel runs on every worker and has its tunnel", flannel},
      {"pod-to-pod", "containers reach each other", pod_to_pod},
      {"vip", "virtual addresses reach the containers behind them", vip},
      {"skupper", "exposed services are offered by the other clusters' routers", skupper},
      {"daemons", "no daemon has ended or crashed", daemons},
  };
  return all;
}

}  // namespace knetsim::cli::shell
