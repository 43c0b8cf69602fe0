#include "live_checks.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <optional>

#include "explaining.h"
#include "knetsim/emulator/evidence.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "lookup.h"
#include "ping_matrix.h"
#include "text.h"

namespace knetsim::cli::shell {

namespace {

void add(Finding& sum, Finding one) {
  sum.looked_at += one.looked_at;
  std::move(one.wrong.begin(), one.wrong.end(), std::back_inserter(sum.wrong));
}

/// Pings of both families, as far as both ends have them, between those that the topology gives a way.
template <typename HasWay>
Finding reach_each_other(Session& session, const std::vector<Node*>& nodes, const HasWay& has_way) {
  std::vector<Ping> pings;
  for (auto* from : nodes)
    for (auto* to : nodes) {
      if (from == to || !has_way(*from, *to)) continue;
      for (const bool v6 : {false, true}) {
        const auto target = first_of_family(*to, v6);
        if (first_of_family(*from, v6) && target) pings.push_back({from, *target});
      }
    }
  Finding finding{.looked_at = pings.size()};
  const auto answered = send(pings, session.interrupted);
  for (std::size_t i = 0; i < pings.size(); ++i)
    if (!answered[i]) {
      const auto* owner = owner_of(nodes, pings[i].to);
      auto wrong =
          fmt::format("no answer: {} -> {} ({})", pings[i].from->name(), owner->name(), pings[i].to.to_string());
      if (finding.wrong.size() < kExplainedOfCheck && !session.interrupted())
        wrong += "\n  " + reason_in_short(session.emulation, *pings[i].from, pings[i].to, session.interrupted);
      finding.wrong.push_back(std::move(wrong));
    }
  return finding;
}

/// The topmost switch above each switch of the topology.
std::map<std::string, std::string> roots_of_switches(const Topology& topology) {
  std::map<std::string, std::string> roots;
  for (const auto& one : topology.underlay.switches)
    roots[one.name] = one.uplink.empty() ? one.name : roots[one.uplink];
  return roots;
}

// Nodes on switches that nothing joins aren't meant to reach each other.
Finding workers(Session& session) {
  const auto roots = roots_of_switches(session.emulation.topology());
  std::vector<Node*> hosts;
  std::map<std::string, std::string> islands;
  Finding finding;
  for (auto* cluster : session.emulation.clusters()) {
    const auto& spec = cluster->spec();
    for (const auto* nodes : {&spec.etcd, &spec.workers})
      for (const auto& node : *nodes) islands[node.name] = roots.at(switch_of(node, spec));
    for (auto* node : cluster->etcd_nodes()) hosts.push_back(node);
    for (auto* worker : cluster->workers()) hosts.push_back(worker);
  }
  for (const auto& place : places_of(session.emulation)) {
    if (place.kind != "etcd" && place.kind != "worker") continue;
    ++finding.looked_at;
    for (const auto& fault : place.faults) finding.wrong.push_back(place.name + ": " + fault);
  }
  const auto mtu = session.emulation.topology().underlay.mtu;
  for (const auto* host : hosts) {
    auto socket = host->netlink();
    if (const auto link = netlink::find_link(socket, Underlay::kInterface); link && link->mtu != mtu)
      finding.wrong.push_back(
          fmt::format("{}: {} has MTU {}, the topology says {}", host->name(), link->name, link->mtu, mtu));
  }
  auto pings = reach_each_other(session, hosts,
                                [&](const Node& a, const Node& b) { return islands[a.name()] == islands[b.name()]; });
  finding.counted = count_of(hosts.size(), "host") + ", " + count_of(pings.looked_at, "ping");
  add(finding, std::move(pings));
  return finding;
}

/// Links and addresses of the containers, and whether those are their worker's to give.
Finding pods(Session& session) {
  Finding finding;
  for (const auto& place : places_of(session.emulation)) {
    if (place.kind != "container") continue;
    ++finding.looked_at;
    for (const auto& fault : place.faults) finding.wrong.push_back(place.name + ": " + fault);
    const auto env = flannel::read_subnet_env(session.emulation.worker(place.on).subnet_file());
    for (const auto& address : place.addresses) {
      const auto& subnet = address.is_v6() ? env.ipv6_subnet : env.subnet;
      if (!subnet || !contains(canonical(*subnet), address))
        finding.wrong.push_back(fmt::format("{}: {} isn't of {}'s subnet", place.name, address.to_string(), place.on));
    }
  }
  return finding;
}

Finding etcd(Session& session) {
  Finding finding;
  for (auto* cluster : session.emulation.clusters()) {
    finding.looked_at += cluster->etcd_nodes().size();
    if (!cluster->has_etcd()) continue;
    for (auto& member : cluster->etcd().members())
      if (auto ailment = member.ailment()) finding.wrong.push_back(fmt::format("{}: {}", member.spec().name, *ailment));
  }
  return finding;
}

Finding pod_to_pod(Session& session) {
  Finding finding;
  for (auto* cluster : session.emulation.clusters()) {
    std::vector<Node*> pods;
    for (auto* container : cluster->containers()) pods.push_back(container);
    const bool mesh = has_mesh(*cluster);
    const auto worker_of = [](const Node& pod) { return pod.name().substr(0, pod.name().find('/')); };
    add(finding, reach_each_other(session, pods,
                                  [&](const Node& a, const Node& b) { return mesh || worker_of(a) == worker_of(b); }));
  }
  return finding;
}

/// What keeps a service's own container from serving it.
std::optional<std::string> trouble_of(Cluster& cluster, const ExposedServiceSpec& service) {
  for (const auto* container : cluster.containers()) {
    if (container->short_name() != service.container) continue;
    if (listening_tcp_ports(container->netns()).contains(service.port)) return std::nullopt;
    return fmt::format("{}: nothing listens on port {} of {}", service.name, service.port, container->name());
  }
  return fmt::format("{}: its container {} is gone", service.name, service.container);
}

Finding skupper(Session& session) {
  auto& network = session.emulation.service_network();
  Finding finding;
  for (auto* cluster : session.emulation.clusters()) {
    const auto* spec = network.spec(*cluster);
    if (spec == nullptr) continue;
    for (const auto& service : spec->services) {
      ++finding.looked_at;
      if (auto trouble = trouble_of(*cluster, service)) finding.wrong.push_back(std::move(*trouble));
    }
  }
  if (finding.looked_at > 0) network.wait_until_ready(std::chrono::seconds(5));
  return finding;
}

Finding skupper_running(Session& session) {
  auto& network = session.emulation.service_network();
  const auto clusters = session.emulation.clusters();
  const auto files = std::filesystem::path(kStateDirectory) / "skupper";
  Finding finding;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (network.spec(*clusters[i]) == nullptr) continue;
    ++finding.looked_at;
    const auto& name = clusters[i]->name();
    if (!network.router(*clusters[i]).process().running()) finding.wrong.push_back(name + ": its router doesn't run");
    for (const auto* ending : {".json", ".log"})
      if (const auto file = files / (std::to_string(i) + ending); !std::filesystem::exists(file))
        finding.wrong.push_back(fmt::format("{}: {} isn't there", name, file.string()));
  }
  return finding;
}

// What was started at the prompt is its user's own.
Finding daemons(Session& session) {
  Finding finding;
  std::vector<std::string> killed;
  for (const auto& program : running_programs(session)) {
    if (program.whose == Running::Whose::prompt) continue;
    ++finding.looked_at;
    if (program.process != nullptr && program.process->running()) continue;
    const auto name = program.node + " " + program.name;
    if (program.process == nullptr)
      finding.wrong.push_back(name + " couldn't be restarted");
    else if (program.told_to_end)
      killed.push_back(fmt::format("{} ({})", name, program.process->status()->describe()));
  }
  // Those that nobody told to, and those that run and report a crash.
  for (auto& ailment : session.emulation.ailments()) finding.wrong.push_back(std::move(ailment));
  if (!killed.empty())
    finding.wrong.push_back(fmt::format("{} killed by you: {}",
                                        killed.size() == 1 ? "one was" : fmt::format("{} were", killed.size()),
                                        join(killed, ", ")));
  return finding;
}

}  // namespace

bool has_mesh(const Cluster& cluster) {
  const auto& spec = cluster.spec();
  return spec.flannel && flannel::parse_config(spec.flannel->config).backend.type != flannel::BackendType::alloc;
}

const std::vector<LiveCheck>& live_checks() {
  static const std::vector<LiveCheck> all{
      {"workers", "workers and etcd nodes are hosts that reach each other", "host", "the lab has no node", workers},
      {"pods", "containers have a link, and addresses of their worker", "container", "there is no container", pods},
      {"etcd", "every member of etcd is healthy", "member", "no cluster has etcd", etcd},
      {"flannel", "flannel runs on every worker, with its lease, links and routes", "worker", "no cluster has flannel",
       check_flannel},
      {"pod-to-pod", "containers reach each other", "ping", "no two containers have a way to each other", pod_to_pod},
      {"vip", "virtual addresses reach the containers behind them", "ping", "there is no VIP that a container can use",
       check_vips},
      {"balancing", "flows to a virtual address take turns", "VIP", "there is no VIP with two containers behind it",
       check_turns},
      {"vip-worker", "virtual addresses serve the workers' own packets", "ping", "there is no VIP",
       check_vips_of_workers},
      {"skupper", "exposed services are served, and offered by the other clusters' routers", "service",
       "no service is exposed", skupper},
      {"skupper-running", "each cluster's router runs", "router", "no cluster has a router", skupper_running},
      {"daemons", "every daemon runs, and none has crashed", "daemon", "the lab has no daemon", daemons},
  };
  return all;
}

}  // namespace knetsim::cli::shell
