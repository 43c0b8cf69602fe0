#include "knetsim/emulator/vip_book.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "knetsim/emulator/underlay.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

void tell_who_is_gone(std::vector<kubeproxy::Vip>& services, const std::vector<Worker*>& workers) {
  std::set<Address> there;
  for (auto* worker : workers)
    for (const auto* container : worker->containers())
      there.insert(container->addresses().begin(), container->addresses().end());
  for (auto& service : services)
    for (auto& endpoint : service.endpoints) endpoint.gone = !there.contains(endpoint.address);
}

}  // namespace

VipBook::VipBook(std::string cluster, std::vector<Network> ranges, std::vector<Worker*> workers)
    : cluster_(std::move(cluster)), ranges_(std::move(ranges)), workers_(std::move(workers)) {}

std::vector<netlink::Route> VipBook::routes() const {
  std::vector<netlink::Route> routes;
  for (const auto& range : ranges_) routes.push_back({.destination = range});
  return routes;
}

kubeproxy::Vip VipBook::service(const VipSpec& vip) {
  // The workers have routes to the ranges alone: what they send elsewhere never gets to the packet filter.
  if (std::none_of(ranges_.begin(), ranges_.end(),
                   [&](const Network& range) { return contains(range, vip.address); })) {
    std::vector<std::string> known;
    for (const auto& range : ranges_) known.push_back(to_string(range));
    throw InputError(fmt::format("{}: the VIP {} lies outside the range of services\n  remedy: {}", cluster_,
                                 vip.address.to_string(),
                                 known.empty() ? "give the cluster \"services\" with a \"range\" in the topology"
                                               : fmt::format("choose one of {}", fmt::join(known, ", "))));
  }
  kubeproxy::Vip result{.address = vip.address, .endpoints = {}, .name = cluster_ + "/" + vip.address.to_string()};
  for (const auto& name : vip.containers) {
    const auto& addresses = worker_with(name, workers_, cluster_).container(name).addresses();
    const auto same_family = std::find_if(addresses.begin(), addresses.end(), [&](const Address& address) {
      return address.is_v6() == vip.address.is_v6();
    });
    if (same_family == addresses.end())
      throw InputError(
          fmt::format("{} can't serve {}: it has no address of that family\n  remedy: name containers that do", name,
                      vip.address.to_string()));
    if (std::count(vip.containers.begin(), vip.containers.end(), name) > 1)
      throw InputError(fmt::format("{} stands twice behind {}\n  remedy: name it once", name, vip.address.to_string()));
    result.endpoints.push_back({*same_family});
  }
  result.revision = ++revision_;
  return result;
}

void VipBook::start(const std::vector<VipSpec>& vips) {
  for (const auto* worker : workers_) {
    auto socket = worker->netlink();
    const int interface = netlink::get_link(socket, Underlay::kInterface).index;
    for (auto route : routes()) {
      route.interface = interface;
      netlink::replace_route(socket, route);
    }
  }
  const std::scoped_lock lock(mutex_);
  std::vector<kubeproxy::Vip> services;
  for (const auto& vip : vips) services.push_back(service(vip));
  if (!services.empty()) apply(std::move(services));
}

void VipBook::add(const std::string& vip, const std::vector<std::string>& containers) {
  const std::scoped_lock lock(mutex_);
  auto added = service({parse_address(vip), containers});
  auto services = services_;
  std::erase_if(services, [&](const kubeproxy::Vip& one) { return one.address == added.address; });
  services.push_back(std::move(added));
  apply(std::move(services));
}

void VipBook::remove(const std::string& vip) {
  const std::scoped_lock lock(mutex_);
  auto services = services_;
  const auto address = parse_address(vip);
  if (std::erase_if(services, [&](const kubeproxy::Vip& one) { return one.address == address; }) == 0)
    throw InputError(fmt::format("{} has no VIP {}", cluster_, vip));
  apply(std::move(services));
}

void VipBook::reconcile() {
  const std::scoped_lock lock(mutex_);
  auto services = services_;
  tell_who_is_gone(services, workers_);
  if (services != services_) apply(std::move(services));
}

std::vector<kubeproxy::Vip> VipBook::services() const {
  const std::scoped_lock lock(mutex_);
  return services_;
}

void VipBook::apply(std::vector<kubeproxy::Vip> services) {
  kubeproxy::validate(services);
  tell_who_is_gone(services, workers_);
  std::size_t done = 0;
  try {
    for (; done < workers_.size(); ++done) workers_[done]->proxy().apply(services);
  } catch (...) {
    // All workers or none: the refusing one still serves what it served before.
    while (done-- > 0) put_back(*workers_[done]);
    throw;
  }
  services_ = std::move(services);
}

void VipBook::put_back(Worker& worker) const {
  try {
    worker.proxy().apply(services_);
  } catch (const Error&) {
    // The refusal that led here is the one to tell; the worker's next change writes its whole table.
  }
}

}  // namespace knetsim
