#include "knetsim/emulator/worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "pod_routes.h"

namespace knetsim {

Worker::Worker(Node node, std::string prefix, const cni::Plugins& plugins, const kubeproxy::VipOptions& proxy,
               std::string cluster, HostsFile& hosts)
    : Node(std::move(node)),
      prefix_(std::move(prefix)),
      cluster_(std::move(cluster)),
      hosts_(hosts),
      pods_(netns(), {.node = name(), .directory = directory(), .subnet_file = subnet_file(), .plugins = plugins}),
      proxy_(netns(), proxy) {
  send_no_redirects(netns());
}

Worker::~Worker() = default;

Container& Worker::create_container(const std::string& name, const std::string& runtime_config,
                                    const std::string& hostname) {
  const auto is_taken = [&] {
    const std::scoped_lock lock(listed_);
    return containers_.contains(name);
  };
  if (is_taken())
    throw InputError(describe({.where = this->name(),
                               .tried = "create container " + name,
                               .answer = "there is one already",
                               .remedy = "delete it first, or choose another name"}));
  const auto id = prefix_ + name;
  Node node(this->name() + "/" + name, id, directory(),
            hostname.empty() ? uts() : std::make_shared<const UtsNs>(UtsNs::create(hostname)));
  cni::Attachment attachment{.container_id = id, .netns = "/run/netns/" + id};
  if (!runtime_config.empty()) attachment.capabilities = parse_json(runtime_config);
  auto network = pods_.attach(attachment);
  route_to_neighbours(node.netns(), attachment.ifname, routes_to_neighbours(network, pods_.options().bridge));
  auto made = std::make_unique<Container>(std::move(node), name, id, std::move(network));
  // As the API's clients in pods are told where it is (client-go/rest/config.go).
  for (const auto& [variable, value] : variables()) made->set_variable(variable, value);
  if (!variables().empty()) {
    made->set_variable("KUBERNETES_SERVICE_HOST", "10.96.0.1");
    made->set_variable("KUBERNETES_SERVICE_PORT", "443");
  }
  auto& container = *made;
  {
    const std::scoped_lock lock(listed_);
    containers_[name] = std::move(made);
  }
  hosts_.add_container(cluster_, container);
  if (keeper_ != nullptr) keep_routes_of(container);
  return container;
}

void Worker::have_routes_kept(Keeper& keeper) {
  keeper_ = &keeper;
  for (const auto* container : containers()) keep_routes_of(*container);
}

void Worker::keep_routes_of(const Container& container) {
  Kept kept{.routes = routes_to_neighbours(container.network(), pods_.options().bridge),
            .interface = cni::Attachment{}.ifname};
  for (const auto& route : container.network().routes) {
    auto gateway = route.gateway;
    for (const auto& ip : container.network().ips)
      if (!gateway && ip.gateway && ip.gateway->is_v6() == is_v6(route.destination)) gateway = ip.gateway;
    if (gateway) kept.routes.push_back({.destination = route.destination, .gateway = gateway});
  }
  if (!kept.routes.empty()) keeper_->keep(container.name(), container.netns(), std::move(kept));
}

void Worker::disconnect(const Container& container) {
  if (keeper_ != nullptr) keeper_->forget(container.name());
  pods_.detach(container.id());
  hosts_.remove(container);
}

void Worker::delete_container(const std::string& name) {
  disconnect(container(name));
  const std::scoped_lock lock(listed_);
  containers_.erase(name);
}

void Worker::retire_container(const std::string& name) {
  auto& leaving = container(name);
  disconnect(leaving);
  leaving.retire();
  const std::scoped_lock lock(listed_);
  retired_.push_back(std::move(containers_.at(name)));
  containers_.erase(name);
}

void Worker::bury_retired() {
  std::vector<std::unique_ptr<Container>> buried;
  const std::scoped_lock lock(listed_);
  buried.swap(retired_);
}

Container& Worker::container(const std::string& name) {
  const std::scoped_lock lock(listed_);
  const auto found = containers_.find(name);
  if (found != containers_.end()) return *found->second;
  std::vector<std::string> names;
  for (const auto& [there, container] : containers_) names.push_back(there);
  throw InputError(
      describe({.where = this->name(),
                .tried = "find container " + name,
                .answer = "there is none of that name",
                .remedy = names.empty() ? "create it" : fmt::format("one of {}", fmt::join(names, ", "))}));
}

std::vector<Container*> Worker::containers() {
  const std::scoped_lock lock(listed_);
  std::vector<Container*> result;
  for (const auto& [name, container] : containers_) result.push_back(container.get());
  return result;
}

ExecResult Worker::exec_container(const std::string& name, std::vector<std::string> argv,
                                  std::chrono::milliseconds timeout) {
  return container(name).exec(std::move(argv), timeout);
}

Daemon& Worker::flanneld() {
  if (!flanneld_)
    throw InputError(describe({.where = name(),
                               .tried = "find its flannel daemon",
                               .answer = "its cluster has none",
                               .remedy = "add \"flannel\" to the cluster in the topology"}));
  return *flanneld_;
}

Worker& worker_with(const std::string& container, const std::vector<Worker*>& workers, const std::string& cluster) {
  std::vector<std::string> names;
  for (auto* worker : workers)
    for (const auto* one : worker->containers()) {
      if (one->short_name() == container) return *worker;
      names.push_back(one->short_name());
    }
  throw InputError(
      fmt::format("{} has no container \"{}\"\n  remedy: one of {}", cluster, container, fmt::join(names, ", ")));
}

}  // namespace knetsim
