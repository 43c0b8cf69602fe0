#include "knetsim/emulator/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "cluster_parts.h"
#include "container_runtime.h"
#include "knetsim/emulator/names.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/side_by_side.h"
#include "knetsim/sys/text.h"
#include "kube_objects.h"
#include "kube_proxies.h"
#include "kubelet/kubelet.h"
#include "kubelet/pod_registry.h"
#include "kubelet_server.h"
#include "manifests.h"

namespace knetsim {

namespace {

// Further threads would only queue for the lock that guards the kernel's network configuration.
std::size_t useful_threads() { return std::max(4U, 2 * std::thread::hardware_concurrency()); }

}  // namespace

Cluster::Cluster(ClusterSpec spec, unsigned index, Underlay& underlay, HostsFile& hosts, Credentials& credentials)
    : spec_(std::move(spec)), index_(index), mtu_(underlay.spec().mtu), credentials_(&credentials) {
  for (const auto& node : spec_.etcd) etcd_nodes_.push_back(underlay.plug(node, switch_of(node, spec_)));
  const kubeproxy::VipOptions proxy{.pod_networks = pod_networks(spec_)};
  for (const auto& worker : spec_.workers)
    workers_.push_back(std::make_unique<Worker>(underlay.plug(worker, switch_of(worker, spec_)),
                                                fmt::format("k{}_", index), plugins_of(spec_, workers_.size()), proxy,
                                                spec_.name, hosts));
  vips_.emplace(spec_.name, spec_.service_ranges, this->workers());
  if (!offers_api(spec_)) return;
  const auto config = ClusterApi::kubeconfig_in(etcd_nodes_.front()).string();
  for (auto& node : etcd_nodes_) node.set_variable("KUBECONFIG", config);
  for (const auto& worker : workers_) worker->set_variable("KUBECONFIG", config);
}

Cluster::~Cluster() = default;

void Cluster::start(const BootObserver& observer) {
  const auto begin = std::chrono::steady_clock::now();
  const auto stands = [&](const std::string& part) {
    if (!observer) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    observer(name() + ": " + part, elapsed.count());
  };
  std::vector<parts::Program> programs;  // found before anything is started
  if (spec_.flannel) programs = programs_of(parts::kFlannel, spec_.flannel->flavour, spec_.workers.size());
  if (!etcd_nodes_.empty()) {
    start_etcd();
    stands("etcd");
    if (offers_api(spec_))
      api_.emplace(etcd_nodes_.front(), ClusterApi::port_of(index_), etcd_->endpoints(), *credentials_, spec_.name,
                   std::move(api_listeners_));
  }
  write_static_subnets(mtu_);
  if (spec_.flannel) {
    start_flannel(spec_, programs, *etcd_, workers_);
    wait_for_mesh();
    stands("flannel");
  }
  side_by_side(workers_.size(), useful_threads(), [this](std::size_t i) {
    for (const auto& container : spec_.containers)
      if (container.worker == workers_[i]->name()) {
        auto& made = workers_[i]->create_container(container.name, container.runtime_config);
        if (!container.command.empty()) made.run(container.command);
      }
  });
  if (!spec_.containers.empty()) stands("containers");
  vips_->start(spec_.vips);
  if (!spec_.vips.empty()) stands("services");
}

void Cluster::start_etcd() {
  std::vector<etcd::MemberSpec> members;
  for (const auto& node : etcd_nodes_)
    members.push_back({.name = node.name(),
                       .netns = &node.netns(),
                       .address = node.address(),
                       .directory = node.directory() / "etcd",
                       .log = node.directory() / "etcd.log"});
  etcd_.emplace(etcd::Ensemble::start(std::move(members)));
}

void Cluster::write_static_subnets(unsigned mtu) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    flannel::SubnetEnv env;
    env.mtu = mtu;
    env.ip_masq = true;  // nothing here masquerades, and the plugins needn't either
    for (const auto& subnet : spec_.workers[i].pod_subnets) {
      (is_v6(subnet) ? env.ipv6_networks : env.networks) = {subnet};
      (is_v6(subnet) ? env.ipv6_subnet : env.subnet) = gateway_of(subnet);
    }
    if (env.subnet || env.ipv6_subnet) flannel::write_subnet_env(workers_[i]->subnet_file(), env);
  }
}

void Cluster::wait_for_mesh(std::chrono::milliseconds budget) {
  if (!spec_.flannel) return;
  const auto config = flannel::parse_config(spec_.flannel->config);
  if (config.backend.type == flannel::BackendType::alloc) return;
  std::map<const Worker*, std::vector<Network>> subnets;
  for (const auto& worker : workers_) {
    const auto env = flannel::read_subnet_env(worker->subnet_file());
    for (const auto& subnet : {env.subnet, env.ipv6_subnet})
      if (subnet) subnets[worker.get()].push_back(canonical(*subnet));
  }
  for (const auto& worker : workers_) {
    // One look finds nearly all of them; a socket is opened to wait for those that are still missing.
    auto socket = worker->netlink();
    std::set<std::string> there;
    for (const auto& route : netlink::list_routes(socket)) there.insert(to_string(route.destination));
    for (const auto& [owner, wanted] : subnets)
      for (const auto& subnet : wanted)
        if (owner != worker.get() && !there.contains(to_string(subnet)))
          netlink::wait_for_route(worker->netns(), subnet, {}, budget);
  }
}

void Cluster::have_routes_kept(Keeper& keeper, const std::function<void(netlink::Socket&, int)>& when_up) {
  for (const auto& worker : workers_) {
    keeper.keep(worker->name(), worker->netns(),
                {.routes = vips_->routes(),
                 .interface = Underlay::kInterface,
                 .when_up = when_up,
                 .when_filter_changed = [proxy = &worker->proxy()] { proxy->restore(); },
                 .table = kubeproxy::kVipTableName});
    worker->have_routes_kept(keeper);
  }
}

std::vector<Node*> Cluster::etcd_nodes() {
  std::vector<Node*> result;
  for (auto& node : etcd_nodes_) result.push_back(&node);
  return result;
}

std::vector<Worker*> Cluster::workers() {
  std::vector<Worker*> result;
  for (const auto& worker : workers_) result.push_back(worker.get());
  return result;
}

std::vector<Container*> Cluster::containers() {
  std::vector<Container*> result;
  for (const auto& worker : workers_)
    for (auto* container : worker->containers()) result.push_back(container);
  return result;
}

Worker& Cluster::worker(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& worker : workers_) {
    if (worker->name() == name || worker->name() == spec_.name + name) return *worker;
    names.push_back(worker->name());
  }
  throw InputError(
      fmt::format("{} has no worker \"{}\"\n  remedy: one of {}", spec_.name, name, fmt::join(names, ", ")));
}

Worker& Cluster::worker_of(const std::string& container) { return worker_with(container, workers(), name()); }

Container& Cluster::container(const std::string& name) { return worker_of(name).container(name); }

etcd::Ensemble& Cluster::etcd() {
  if (!etcd_) throw InputError(spec_.name + " has no etcd\n  remedy: add \"etcd\" to the cluster in the topology");
  return *etcd_;
}

ClusterApi& Cluster::api() {
  if (!api_)
    throw InputError(
        fmt::format("{} has no Kubernetes API\n  remedy: {}", spec_.name,
                    spec_.etcd.empty() ? "add \"etcd\" to the cluster in the topology" : "leave \"api\": false out"));
  const std::scoped_lock lock(objects_);
  if (published_) {
    if (!api_->server().running())
      throw Error(describe({.where = etcd_nodes_.front().name(),
                            .tried = "ask the Kubernetes API",
                            .answer = "its server doesn't run",
                            .remedy = fmt::format("restart {} apiserver", etcd_nodes_.front().name())}));
    return *api_;
  }
  const auto programs = programs_of(parts::kKubeProxy, spec_.kube_proxy, spec_.workers.size());
  if (!api_->started()) api_->start();
  api_started_ = true;
  if (!kubelet_server_) start_kubelet_server();
  for (const auto& worker : workers_) {
    api_->publish(*worker);
    for (const auto* container : worker->containers())
      published_pods_[api_->publish(*container, *worker)] = container->short_name();
  }
  std::vector<Daemon> proxies;
  for (std::size_t i = 0; i < workers_.size(); ++i)
    proxies.push_back(
        start_kube_proxy(*workers_[i], spec_, programs.at(i), ClusterApi::proxy_kubeconfig_in(etcd_nodes_.front())));
  kube_proxies_ = std::move(proxies);
  published_ = true;
  kubelet_ = std::make_unique<Kubelet>(*this, ClusterApi::port_of(index_), *pod_containers_,
                                       etcd_nodes_.front().directory() / "kubelet.log");
  return *api_;
}

void Cluster::apply(const std::vector<std::filesystem::path>& files) {
  std::vector<kube::Manifest> all;
  for (const auto& file : files)
    for (auto& one : read_manifest_file(file)) all.push_back(std::move(one));
  auto& server = api();
  for (const auto& one : all) server.apply(one);
}

void Cluster::start_kubelet_server() {
  own_pods_ = std::make_unique<ContainerRuntime>(*this, objects_);
  pod_containers_ = std::make_unique<kubelet::PodRegistry>(*own_pods_);
  auto server = std::make_unique<KubeletServer>(*pod_containers_);
  for (const auto& worker : workers_)
    server->listen(worker->name(), worker->netns(),
                   [this, node = kube_name(worker->name()), addresses = worker->addresses()] {
                     return credentials_->kubelet_of(node, addresses);
                   });
  kubelet_server_ = std::move(server);
}

nlohmann::json Cluster::ask_api(const std::string& path) const {
  if (!api_started_) throw InputError(fmt::format("{}'s API isn't there yet\n  remedy: call api() first", spec_.name));
  return api_->ask(path);
}

Daemon* Cluster::api_server() { return api_started_ ? &api_->server() : nullptr; }

Daemon* Cluster::api_controllers() {
  const std::unique_lock lock(objects_, std::try_to_lock);
  return lock && api_ && api_->started() ? &api_->controllers() : nullptr;
}

Daemon* Cluster::kube_proxy(const Worker& worker) {
  const std::unique_lock lock(objects_, std::try_to_lock);
  if (!lock) return nullptr;
  for (std::size_t i = 0; i < kube_proxies_.size(); ++i)
    if (workers_[i].get() == &worker) return &kube_proxies_[i];
  return nullptr;
}

Container& Cluster::create_container(const std::string& worker, const std::string& name) {
  if (const auto fault = name_fault(name, Named::container))
    throw InputError(
        fmt::format("no container can be called {}: {}\n  remedy: {}", excerpt(name), fault->problem, fault->remedy));
  auto& on = this->worker(worker);
  const std::scoped_lock lock(objects_);
  refuse_taken(name);
  auto& container = on.create_container(name);
  try {
    if (published_) published_pods_[api_->publish(container, on)] = name;
  } catch (const Error&) {
    try {
      api_->withdraw(container);
    } catch (const Error&) {
      // The first complaint is the one to tell.
    }
    on.delete_container(name);
    throw;
  }
  vips_->reconcile();  // it may have the address of one that is gone
  return container;
}

void Cluster::refuse_taken(const std::string& name) {
  for (const auto* container : containers())
    if (Names::folded(container->short_name()) == Names::folded(name))
      throw InputError(fmt::format("{} has a container \"{}\" already ({})\n  remedy: choose another name", spec_.name,
                                   name, container->name()));
}

void Cluster::delete_container(const std::string& name) {
  auto& worker = worker_of(name);
  {
    const std::scoped_lock lock(objects_);
    auto& container = worker.container(name);
    const bool own = std::any_of(published_pods_.begin(), published_pods_.end(),
                                 [&](const auto& pod) { return pod.second == name; });
    if (!published_ || own) {
      if (published_) api_->withdraw(container);
      std::erase_if(published_pods_, [&](const auto& pod) { return pod.second == name; });
      worker.delete_container(name);
      vips_->reconcile();
      return;
    }
  }
  kubelet_->remove(name);
}

Container& Cluster::create_pod(Worker& worker, const std::string& name, const std::string& hostname) {
  const std::scoped_lock lock(objects_);
  refuse_taken(name);
  auto& container = worker.create_container(name, {}, hostname);
  vips_->reconcile();
  return container;
}

void Cluster::retire(const std::string& name) {
  std::erase_if(published_pods_, [&](const auto& pod) { return pod.second == name; });
  worker_of(name).retire_container(name);
  vips_->reconcile();
}

void Cluster::retire_pod(const Container& container) {
  const std::scoped_lock lock(objects_);
  retire(std::string(container.short_name()));
}

bool Cluster::is_published(const std::string& uid) {
  const std::scoped_lock lock(objects_);
  return published_pods_.contains(uid);
}

Daemon::Handle Cluster::end_program_of_published(const std::string& uid) {
  const std::scoped_lock lock(objects_);
  const auto found = published_pods_.find(uid);
  if (found == published_pods_.end()) return nullptr;
  auto& ending = container(found->second);
  return ending.has_program() ? ending.program().end_beside() : nullptr;
}

void Cluster::retire_published(const std::string& uid) {
  const std::scoped_lock lock(objects_);
  const auto found = published_pods_.find(uid);
  if (found != published_pods_.end()) retire(std::string(found->second));
}

void Cluster::bury_retired() {
  for (const auto& worker : workers_) worker->bury_retired();
}

void Cluster::end_kubelet() noexcept { kubelet_.reset(); }

std::vector<std::string> Cluster::ailments() {
  std::vector<std::string> result;
  if (etcd_)
    for (auto& member : etcd_->members()) {
      if (auto end = member.unexpected_end())
        result.push_back(std::move(*end));
      else if (const auto line = crash_report_in(member.process().log()))
        result.push_back(fmt::format("etcd on {} reports a crash: {}", member.spec().name, *line));
    }
  auto* const controllers = api_controllers();
  for (auto* daemon : {api_server(), controllers, controllers != nullptr ? api_->scheduler() : nullptr})
    if (daemon != nullptr)
      if (auto ailment = daemon->ailment()) result.push_back(std::move(*ailment));
  for (const auto& worker : workers_) {
    if (worker->has_flanneld())
      if (auto ailment = worker->flanneld().ailment()) result.push_back(std::move(*ailment));
    if (auto* proxy = kube_proxy(*worker))
      if (auto ailment = proxy->ailment()) result.push_back(std::move(*ailment));
  }
  for (auto* container : containers())
    if (container->has_program())
      if (auto ailment = container->program().ailment()) result.push_back(std::move(*ailment));
  return result;
}

}  // namespace knetsim
