#include "knetsim/emulator/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "flannel_start.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/subnet_env.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/netlink/route.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/sandbox.h"
#include "knetsim/sys/text.h"
#include "name_rules.h"

namespace knetsim {

namespace {

std::vector<Network> pod_networks(const ClusterSpec& spec) {
  std::vector<Network> networks;
  if (spec.flannel) {
    const auto config = flannel::parse_config(spec.flannel->config);
    for (const auto& range : {config.v4, config.v6})
      if (range) networks.push_back(range->network);
  }
  for (const auto& worker : spec.workers)
    networks.insert(networks.end(), worker.pod_subnets.begin(), worker.pod_subnets.end());
  return networks;
}

// KNETSIM_CNI decides where the topology leaves it open; a path in it stands for "real", so that a user's own plugin
// comes under every test that asks for real ones.
cni::Plugins plugins_of(const ClusterSpec& spec, std::size_t worker) {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
  };
  if (!spec.cni_conf.empty())
    return cni::resolve_conf(cni::parse_network_config(spec.cni_conf), variable("CNI_PATH"),
                             fmt::format("the CNI configuration of {}", spec.name));
  if (spec.cni == "auto") return cni::resolve_from_environment();
  auto wanted = spec.cni;
  if (wanted == "mixed") wanted = worker == 0 ? "real" : "builtin";
  if (wanted == "real" && cni::names_file(variable("KNETSIM_CNI")))
    return cni::resolve(variable("KNETSIM_CNI"), variable("CNI_PATH"));
  return cni::resolve(wanted, variable("CNI_PATH"), fmt::format("\"cni\": \"{}\" of {}", spec.cni, spec.name));
}

void tell_who_is_gone(std::vector<kubeproxy::Service>& services, const std::vector<Container*>& containers) {
  std::set<Address> there;
  for (const auto* container : containers) there.insert(container->addresses().begin(), container->addresses().end());
  for (auto& service : services)
    for (auto& endpoint : service.endpoints) endpoint.gone = !there.contains(endpoint.address);
}

// Work on workers side by side, as far as that helps: further threads would only queue for the lock that guards the
// kernel's network configuration. All are waited for, also after one has failed.
void for_each_worker(const std::vector<std::unique_ptr<Worker>>& workers, const std::function<void(Worker&)>& work) {
  const auto threads = std::min<std::size_t>(workers.size(), std::max(4U, 2 * std::thread::hardware_concurrency()));
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<void>> running;
  for (std::size_t i = 0; i < threads; ++i)
    running.push_back(std::async(std::launch::async, [&] {
      for (auto turn = next++; turn < workers.size(); turn = next++) work(*workers[turn]);
    }));
  std::exception_ptr first;
  for (auto& one : running) {
    try {
      one.get();
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace

Cluster::Cluster(const ClusterSpec& spec, unsigned index, Underlay& underlay, HostsFile& hosts)
    : spec_(spec), mtu_(underlay.spec().mtu) {
  for (const auto& node : spec_.etcd) etcd_nodes_.push_back(underlay.plug(node, switch_of(node, spec_)));
  const kubeproxy::ProxyOptions proxy{.pod_networks = pod_networks(spec_),
                                      .bridges = {cni::PodNetworkOptions{}.bridge}};
  for (const auto& worker : spec_.workers)
    workers_.push_back(std::make_unique<Worker>(underlay.plug(worker, switch_of(worker, spec_)),
                                                fmt::format("k{}_", index), plugins_of(spec_, workers_.size()), proxy,
                                                spec_.name, hosts));
}

Cluster::~Cluster() = default;

void Cluster::start(const BootObserver& observer) {
  const auto begin = std::chrono::steady_clock::now();
  const auto stands = [&](const std::string& part) {
    if (!observer) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    observer(name() + ": " + part, elapsed.count());
  };
  std::optional<FlannelPrograms> programs;  // found before anything is started
  if (spec_.flannel) programs = flannel_programs(*spec_.flannel);
  if (!etcd_nodes_.empty()) {
    start_etcd();
    stands("etcd");
  }
  write_static_subnets(mtu_);
  if (programs) {
    start_flannel(spec_, *programs, *etcd_, workers_);
    wait_for_mesh();
    stands("flannel");
  }
  for_each_worker(workers_, [this](Worker& worker) {
    for (const auto& container : spec_.containers)
      if (container.worker == worker.name()) {
        auto& made = worker.create_container(container.name, container.runtime_config);
        if (!container.command.empty()) made.run(container.command);
      }
  });
  if (!spec_.containers.empty()) stands("containers");
  route_services();
  std::vector<kubeproxy::Service> services;
  for (const auto& vip : spec_.vips) services.push_back(service(vip.address, vip.containers));
  if (services.empty()) return;
  apply_services(std::move(services));
  stands("services");
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

std::vector<netlink::Route> Cluster::service_routes() const {
  std::vector<netlink::Route> routes;
  for (const auto& range : spec_.service_ranges) routes.push_back({.destination = range});
  return routes;
}

void Cluster::have_routes_kept(Keeper& keeper, const std::function<void(netlink::Socket&, int)>& when_up) {
  for (const auto& worker : workers_) {
    keeper.keep(worker->name(), worker->netns(),
                {.routes = service_routes(),
                 .interface = Underlay::kInterface,
                 .when_up = when_up,
                 .when_filter_changed = [proxy = &worker->proxy()] { proxy->restore(); }});
    worker->have_routes_kept(keeper);
  }
}

void Cluster::route_services() {
  // A packet of the worker's own reaches the OUTPUT hook only if it has a route before it is translated.
  for (const auto& worker : workers_) {
    auto socket = worker->netlink();
    const int interface = netlink::get_link(socket, Underlay::kInterface).index;
    for (auto route : service_routes()) {
      route.interface = interface;
      netlink::replace_route(socket, route);
    }
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

Worker& Cluster::worker_of(const std::string& container) {
  std::vector<std::string> names;
  for (const auto& worker : workers_)
    for (const auto* one : worker->containers()) {
      if (one->short_name() == container) return *worker;
      names.push_back(one->short_name());
    }
  throw InputError(
      fmt::format("{} has no container \"{}\"\n  remedy: one of {}", spec_.name, container, fmt::join(names, ", ")));
}

Container& Cluster::container(const std::string& name) { return worker_of(name).container(name); }

etcd::Ensemble& Cluster::etcd() {
  if (!etcd_) throw InputError(spec_.name + " has no etcd\n  remedy: add \"etcd\" to the cluster in the topology");
  return *etcd_;
}

Container& Cluster::create_container(const std::string& worker, const std::string& name) {
  if (const auto fault = name_fault(name, Named::container))
    throw InputError(
        fmt::format("no container can be called {}: {}\n  remedy: {}", excerpt(name), fault->problem, fault->remedy));
  for (const auto* container : containers())
    if (Names::folded(container->short_name()) == Names::folded(name))
      throw InputError(fmt::format("{} has a container \"{}\" already ({})\n  remedy: choose another name", spec_.name,
                                   name, container->name()));
  auto& container = this->worker(worker).create_container(name);
  reconcile_services();  // it may have the address of one that is gone
  return container;
}

void Cluster::delete_container(const std::string& name) {
  worker_of(name).delete_container(name);
  reconcile_services();
}

kubeproxy::Service Cluster::service(const Address& vip, const std::vector<std::string>& containers) {
  const auto& ranges = spec_.service_ranges;
  // The workers have routes to these alone: what they send elsewhere never gets to the packet filter.
  if (std::none_of(ranges.begin(), ranges.end(), [&](const Network& range) { return contains(range, vip); })) {
    std::vector<std::string> known;
    for (const auto& range : ranges) known.push_back(to_string(range));
    throw InputError(fmt::format("{}: the VIP {} lies outside the range of services\n  remedy: {}", name(),
                                 vip.to_string(),
                                 known.empty() ? "give the cluster \"services\" with a \"range\" in the topology"
                                               : fmt::format("choose one of {}", fmt::join(known, ", "))));
  }
  kubeproxy::Service result{.address = vip, .endpoints = {}, .name = name() + "/" + vip.to_string()};
  for (const auto& one : containers) {
    const auto& addresses = container(one).addresses();
    const auto same_family = std::find_if(addresses.begin(), addresses.end(),
                                          [&](const Address& address) { return address.is_v6() == vip.is_v6(); });
    if (same_family == addresses.end())
      throw InputError(
          fmt::format("{} can't serve {}: it has no address of that family\n  remedy: name containers that do", one,
                      vip.to_string()));
    if (std::count(containers.begin(), containers.end(), one) > 1)
      throw InputError(fmt::format("{} stands twice behind {}\n  remedy: name it once", one, vip.to_string()));
    result.endpoints.push_back({*same_family});
  }
  result.revision = ++revision_;
  return result;
}

void Cluster::kp_vip_add(const std::string& vip, const std::vector<std::string>& containers) {
  auto added = service(parse_address(vip), containers);
  auto services = services_;
  std::erase_if(services, [&](const kubeproxy::Service& one) { return one.address == added.address; });
  services.push_back(std::move(added));
  apply_services(std::move(services));
}

void Cluster::kp_vip_delete(const std::string& vip) {
  auto services = services_;
  const auto address = parse_address(vip);
  if (std::erase_if(services, [&](const kubeproxy::Service& one) { return one.address == address; }) == 0)
    throw InputError(fmt::format("{} has no VIP {}", spec_.name, vip));
  apply_services(std::move(services));
}

void Cluster::reconcile_services() {
  auto services = services_;
  tell_who_is_gone(services, containers());
  if (services != services_) apply_services(std::move(services));
}

void Cluster::apply_services(std::vector<kubeproxy::Service> services) {
  kubeproxy::validate(services);
  tell_who_is_gone(services, containers());
  std::size_t done = 0;
  try {
    for (; done < workers_.size(); ++done) workers_[done]->proxy().apply(services);
  } catch (...) {
    // All workers or none: the refusing one still serves what it served before.
    while (done-- > 0) put_back_services(*workers_[done]);
    throw;
  }
  services_ = std::move(services);
}

void Cluster::put_back_services(Worker& worker) const {
  try {
    worker.proxy().apply(services_);
  } catch (const Error&) {
    // The refusal that led here is the one to tell; the worker's next change writes its whole table.
  }
}

ServiceNetwork& Cluster::service_network() {
  if (service_network_ == nullptr) throw Error(name() + " has joined no service network");
  return *service_network_;
}

void Cluster::expose(const std::string& container, std::uint16_t port, const std::string& name,
                     std::uint16_t listen_port) {
  service_network().expose(*this, {.name = name, .container = container, .port = port, .listen_port = listen_port});
}

void Cluster::unexpose(const std::string& name) { service_network().unexpose(*this, name); }

Daemon& Cluster::router() { return service_network().router(*this); }

std::vector<std::string> Cluster::ailments() {
  std::vector<std::string> result;
  if (etcd_)
    for (auto& member : etcd_->members()) {
      if (auto end = member.unexpected_end())
        result.push_back(std::move(*end));
      else if (const auto line = crash_report_in(member.process().log()))
        result.push_back(fmt::format("etcd on {} reports a crash: {}", member.spec().name, *line));
    }
  for (const auto& worker : workers_)
    if (worker->has_flanneld())
      if (auto ailment = worker->flanneld().ailment()) result.push_back(std::move(*ailment));
  for (auto* container : containers())
    if (container->has_program())
      if (auto ailment = container->program().ailment()) result.push_back(std::move(*ailment));
  return result;
}

}  // namespace knetsim
