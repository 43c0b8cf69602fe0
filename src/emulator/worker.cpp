#include "knetsim/emulator/worker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim {

Worker::Worker(Node node, std::string prefix, const cni::Plugins& plugins, const kubeproxy::ProxyOptions& proxy,
               std::string cluster, HostsFile& hosts)
    : Node(std::move(node)),
      prefix_(std::move(prefix)),
      cluster_(std::move(cluster)),
      hosts_(hosts),
      pods_(netns(), {.node = name(), .directory = directory(), .subnet_file = subnet_file(), .plugins = plugins}),
      proxy_(netns(), proxy) {}

Worker::~Worker() = default;

Container& Worker::create_container(const std::string& name, const std::string& runtime_config) {
  if (containers_.contains(name))
    throw InputError(describe({.where = this->name(),
                               .tried = "create container " + name,
                               .answer = "there is one already",
                               .remedy = "delete it first, or choose another name"}));
  const auto id = prefix_ + name;
  Node node(this->name() + "/" + name, id, directory(), uts());
  cni::Attachment attachment{.container_id = id, .netns = "/run/netns/" + id};
  if (!runtime_config.empty()) attachment.capabilities = parse_json(runtime_config);
  auto network = pods_.attach(attachment);
  auto& slot = containers_[name];
  slot = std::make_unique<Container>(std::move(node), name, id, std::move(network));
  hosts_.add_container(cluster_, *slot);
  if (keeper_ != nullptr) keep_routes_of(*slot);
  return *slot;
}

void Worker::have_routes_kept(Keeper& keeper) {
  keeper_ = &keeper;
  for (const auto& [name, container] : containers_) keep_routes_of(*container);
}

void Worker::keep_routes_of(const Container& container) {
  Kept kept{.interface = cni::Attachment{}.ifname};
  for (const auto& route : container.network().routes) {
    auto gateway = route.gateway;
    for (const auto& ip : container.network().ips)
      if (!gateway && ip.gateway && ip.gateway->is_v6() == is_v6(route.destination)) gateway = ip.gateway;
    if (gateway) kept.routes.push_back({.destination = route.destination, .gateway = gateway});
  }
  if (!kept.routes.empty()) keeper_->keep(container.name(), container.netns(), std::move(kept));
}

void Worker::delete_container(const std::string& name) {
  auto& leaving = container(name);
  if (keeper_ != nullptr) keeper_->forget(leaving.name());
  pods_.detach(leaving.id());
  hosts_.remove(leaving);
  containers_.erase(name);
}

Container& Worker::container(const std::string& name) {
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
