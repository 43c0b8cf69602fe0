#include "knetsim/emulator/emulation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "knetsim/etcd/ensemble.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "knetsim/sys/side_by_side.h"

namespace knetsim {

namespace {

const std::string kKubeconfig = std::string(kStateDirectory) + "/kubeconfig";
/// kubectl caches there what a server has told of itself: another lab's would be wrong.
const std::string kKubectlHome = std::string(kStateDirectory) + "/kubectl";

void write_kubeconfig(const Topology& topology) {
  std::vector<KubeContext> contexts;
  for (std::size_t i = 0; i < topology.clusters.size(); ++i)
    if (offers_api(topology.clusters[i])) contexts.push_back({topology.clusters[i].name, ClusterApi::url_of(i)});
  if (contexts.empty()) return;
  make_directories(kKubectlHome);
  write_file_atomically(kKubeconfig, kubeconfig(contexts));
}

/// Where each API is asked from within the nodes.
std::vector<KubeContext> contexts_on_nodes(const Topology& topology) {
  std::vector<KubeContext> contexts;
  for (const auto& cluster : topology.clusters)
    if (offers_api(cluster))
      contexts.push_back({cluster.name, ClusterApi::secure_url_of(cluster.etcd.front().addresses.front())});
  return contexts;
}

}  // namespace

Emulation Emulation::plug(Topology topology) {
  topology.validate();
  topology.require_programs();
  topology.require_manifests();
  Emulation emulation(std::move(topology));
  const auto& spec = emulation.topology_;
  const bool any_etcd = std::any_of(spec.clusters.begin(), spec.clusters.end(),
                                    [](const ClusterSpec& cluster) { return !cluster.etcd.empty(); });
  if (any_etcd) etcd::install_etcdctl(kStateDirectory);

  write_kubeconfig(spec);

  emulation.hosts_ = std::make_unique<HostsFile>(spec.clusters.empty() ? "" : spec.clusters.front().name);
  emulation.credentials_ = std::make_unique<Credentials>(contexts_on_nodes(spec));
  emulation.underlay_ = std::make_unique<Underlay>(spec.underlay);
  for (unsigned index = 0; index < spec.clusters.size(); ++index)
    emulation.clusters_.push_back(std::make_unique<Cluster>(spec.clusters[index], index, *emulation.underlay_,
                                                            *emulation.hosts_, *emulation.credentials_));
  const auto nodes = emulation.nodes();
  emulation.hosts_->add_nodes(nodes);
  emulation.underlay_->settle({nodes.begin(), nodes.end()});
  if (spec.underlay.permanent_neighbours) Underlay::introduce({nodes.begin(), nodes.end()});
  emulation.service_network_ = std::make_unique<ServiceNetwork>(emulation.clusters());
  return emulation;
}

void Emulation::start(const BootObserver& observer) {
  std::mutex one_at_a_time;
  const BootObserver guarded = [&](const std::string& part, double seconds) {
    const std::scoped_lock lock(one_at_a_time);
    if (observer) observer(part, seconds);
  };
  side_by_side(clusters_.size(), clusters_.size(), [&](std::size_t i) { clusters_[i]->start(guarded); });
  start_routers(observer);
  have_everything_kept();
  side_by_side(clusters_.size(), clusters_.size(), [&](std::size_t i) {
    const auto& manifests = clusters_[i]->spec().manifests;
    if (manifests.empty()) return;
    const auto begin = std::chrono::steady_clock::now();
    clusters_[i]->apply(manifests);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    guarded(clusters_[i]->name() + ": manifests", elapsed.count());
  });
}

void Emulation::start_apis() {
  std::vector<Cluster*> asked;
  for (const auto& cluster : clusters_)
    if (offers_api(cluster->spec())) asked.push_back(cluster.get());
  if (asked.empty())
    throw InputError(
        "no cluster of this network has a Kubernetes API\n  remedy: add \"etcd\" to one in the topology, and leave "
        "\"api\": false out");
  side_by_side(asked.size(), asked.size(), [&](std::size_t i) { asked[i]->api(); });
}

void Emulation::prepare_for(const std::string& program) {
  const bool any = std::ranges::any_of(clusters_, [](const auto& cluster) { return offers_api(cluster->spec()); });
  if (any && std::filesystem::path(program).filename() == "kubectl") start_apis();
}

Command Emulation::kubectl(std::vector<std::string> arguments) {
  const auto* chosen = std::getenv("KNETSIM_KUBECTL");
  Command command{
      .argv = {chosen != nullptr && *chosen != '\0' ? chosen : "kubectl"},
      .environment = {{"KUBECONFIG", kKubeconfig}, {"HOME", kKubectlHome}, {"KUBECACHEDIR", kKubectlHome + "/cache"}},
      .trust = Trust::user};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  return command;
}

std::string Emulation::kubeconfig_for(const std::vector<KubeContext>& contexts) {
  return kubeconfig(contexts, {.authority = credentials_->authority(), .token = credentials_->token()});
}

void Emulation::publish(Fd listener, const Node& node, std::uint16_t port) {
  if (!port_forward_) port_forward_ = std::make_unique<PortForward>();
  port_forward_->add(std::move(listener), node, port);
}

void Emulation::have_everything_kept() {
  keeper_ = std::make_unique<Keeper>();
  std::function<void(netlink::Socket&, int)> introduce;
  if (topology_.underlay.permanent_neighbours) {
    std::vector<const Node*> plugged;
    for (auto& cluster : clusters_) {
      for (const auto* node : cluster->etcd_nodes()) plugged.push_back(node);
      for (const auto* worker : cluster->workers()) plugged.push_back(worker);
    }
    const auto all = std::make_shared<const std::vector<Underlay::Acquaintance>>(Underlay::acquaintances(plugged));
    introduce = [all](netlink::Socket& socket, int) { Underlay::introduce(socket, *all); };
  }
  for (auto& cluster : clusters_) {
    cluster->have_routes_kept(*keeper_, introduce);
    if (!introduce) continue;
    for (const auto* node : cluster->etcd_nodes())
      keeper_->keep(node->name(), node->netns(), {.interface = Underlay::kInterface, .when_up = introduce});
  }
}

Emulation Emulation::boot(Topology topology, const BootObserver& observer) {
  auto emulation = plug(std::move(topology));
  emulation.start(observer);
  return emulation;
}

void Emulation::start_routers(const BootObserver& observer) {
  if (std::none_of(clusters_.begin(), clusters_.end(),
                   [](const auto& cluster) { return cluster->spec().skupper.has_value(); }))
    return;
  const auto begin = std::chrono::steady_clock::now();
  service_network_->start();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  if (observer) observer("routers", elapsed.count());
}

void Emulation::bury_retired() {
  for (const auto& cluster : clusters_) cluster->bury_retired();
}

Emulation::~Emulation() {
  for (const auto& cluster : clusters_) cluster->end_kubelet();
  for (const auto* node : nodes()) dismantle_at_the_end(node->netns());
}

std::vector<Cluster*> Emulation::clusters() {
  std::vector<Cluster*> result;
  for (const auto& cluster : clusters_) result.push_back(cluster.get());
  return result;
}

std::vector<Node*> Emulation::nodes() {
  std::vector<Node*> result;
  for (const auto& cluster : clusters_) {
    for (auto* node : cluster->etcd_nodes()) result.push_back(node);
    for (auto* worker : cluster->workers()) result.push_back(worker);
  }
  for (const auto& cluster : clusters_)
    for (auto* container : cluster->containers()) result.push_back(container);
  return result;
}

Cluster& Emulation::cluster(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& cluster : clusters_) {
    if (cluster->name() == name) return *cluster;
    names.push_back(cluster->name());
  }
  throw InputError(fmt::format("there is no cluster \"{}\"\n  remedy: one of {}", name, fmt::join(names, ", ")));
}

Worker& Emulation::worker(const std::string& name) {
  const auto& found = node(name);
  for (const auto& cluster : clusters_)
    for (auto* worker : cluster->workers())
      if (worker == &found) return *worker;
  throw InputError(fmt::format("\"{}\" isn't a worker", name));
}

Node* Emulation::find(const std::string& name) {
  const auto meant = hosts_->find(name);
  if (!meant) return nullptr;
  const auto all = nodes();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Node* node) { return node->name() == *meant; });
  return found != all.end() ? *found : nullptr;
}

Node& Emulation::node(const std::string& name) {
  if (auto* found = find(name)) return *found;
  std::vector<std::string> names;
  for (const auto* node : nodes()) names.push_back(node->name());
  throw InputError(fmt::format("there is no node \"{}\"\n  remedy: one of {}", name, fmt::join(names, ", ")));
}

std::vector<std::string> Emulation::ailments() {
  std::vector<std::string> result;
  for (const auto& cluster : clusters_)
    for (auto& ailment : cluster->ailments()) result.push_back(std::move(ailment));
  for (auto& ailment : service_network_->ailments()) result.push_back(std::move(ailment));
  return result;
}

}  // namespace knetsim
