#include "site_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"

namespace knetsim {

namespace {

std::size_t index_of(const std::vector<SitePlan>& plans, const std::string& cluster) {
  const auto found =
      std::find_if(plans.begin(), plans.end(), [&](const SitePlan& plan) { return plan.cluster == cluster; });
  return static_cast<std::size_t>(found - plans.begin());
}

/// Checks the plan of one cluster against all.
class SiteCheck {
 public:
  SiteCheck(const std::vector<SitePlan>& plans, std::size_t index, const JsonSource* source)
      : plans_(plans), plan_(plans[index]), source_(source), pointer_(fmt::format("/clusters/{}/skupper", index)) {}

  void run() const {
    const auto& spec = *plan_.skupper;
    if (!plan_.has_worker) complain("", plan_.cluster, "a router needs a worker to run on", "give the cluster one");
    for (std::size_t i = 0; i < spec.links.size(); ++i) link(i);
    for (std::size_t i = 0; i < spec.services.size(); ++i) service(i);
  }

 private:
  [[noreturn]] void complain(const std::string& place, const std::string& value, const std::string& problem,
                             const std::string& remedy) const {
    if (source_ != nullptr) throw JsonError(*source_, {pointer_ + place, json_excerpt(value, 80), problem, remedy});
    throw InputError(fmt::format("{}: {}: {}\n  remedy: {}", plan_.cluster, value, problem, remedy));
  }

  void link(std::size_t i) const {
    const auto& links = plan_.skupper->links;
    const auto& target = links[i].cluster;
    const auto place = fmt::format("/links/{}/cluster", i);
    if (target == plan_.cluster) complain(place, target, "a cluster isn't linked with itself", "name another one");
    const auto found = index_of(plans_, target);
    if (found == plans_.size()) complain(place, target, "there is no cluster of that name", "name one of /clusters");
    if (!plans_[found].skupper)
      complain(place, target, "that cluster has no router to connect to", "give it \"skupper\": {}");
    if (std::any_of(links.begin(), links.begin() + static_cast<long>(i),
                    [&](const RouterLinkSpec& other) { return other.cluster == target; }))
      complain(place, target, "the link stands twice", "keep one of them");
  }

  void service(std::size_t i) const {
    const auto& one = plan_.skupper->services[i];
    const auto place = fmt::format("/services/{}", i);
    const auto port = std::to_string(one.listen_port);
    if (one.name.empty()) complain(place + "/name", one.name, "a service needs a name", "give it one");
    if (std::any_of(one.name.begin(), one.name.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
      complain(place + "/name", one.name, "has blanks or control characters in it", "leave them away");
    if (one.port == 0) complain(place + "/port", "0", "isn't a port", "choose one from 1 to 65535");
    if (one.listen_port == 0) complain(place + "/listenPort", "0", "isn't a port", "choose one from 1 to 65535");
    if (!plan_.containers.contains(one.container))
      complain(place + "/container", one.container, "the cluster has no container of that name",
               "name one of its containers");
    for (const auto taken : {skupper::kAmqpPort, skupper::kInterRouterPort, skupper::kEdgePort, skupper::kHttpPort})
      if (one.listen_port == taken)
        complain(place + "/listenPort", port, "the router listens there itself", "choose another one");
    for (const auto& other_plan : plans_) {
      if (!other_plan.skupper) continue;
      for (const auto& other : other_plan.skupper->services) {
        if (&other == &one) return;  // those after it check themselves
        if (other.name == one.name && other.listen_port != one.listen_port)
          complain(place + "/listenPort", port,
                   fmt::format("{} is offered on port {} already", one.name, other.listen_port),
                   "a service has one port, however many containers serve it");
        if (other.name != one.name && other.listen_port == one.listen_port)
          complain(place + "/listenPort", port, "the port is " + other.name + "'s already", "choose another one");
        if (&other_plan == &plan_ && other.name == one.name && other.container == one.container)
          complain(place + "/container", one.container, "serves " + one.name + " already", "keep one of them");
      }
    }
  }

  const std::vector<SitePlan>& plans_;
  const SitePlan& plan_;
  const JsonSource* source_;
  std::string pointer_;
};

bool serves(const SitePlan& plan, const std::string& service) {
  return std::any_of(plan.skupper->services.begin(), plan.skupper->services.end(),
                     [&](const ExposedServiceSpec& one) { return one.name == service; });
}

/// The clusters that are joined with this one by links, in whatever direction, itself included.
std::set<std::size_t> joined_with(const std::vector<SitePlan>& plans, std::size_t cluster) {
  std::set<std::size_t> joined{cluster};
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (!plans[i].skupper) continue;
      for (const auto& link : plans[i].skupper->links) {
        const auto target = index_of(plans, link.cluster);
        if (joined.contains(i) != joined.contains(target)) {
          joined.insert({i, target});
          grown = true;
        }
      }
    }
  }
  return joined;
}

}  // namespace

std::vector<SitePlan> site_plans(const Topology& topology) {
  std::vector<SitePlan> plans;
  for (const auto& cluster : topology.clusters) {
    SitePlan plan{
        .cluster = cluster.name, .has_worker = !cluster.workers.empty(), .containers = {}, .skupper = cluster.skupper};
    for (const auto& container : cluster.containers) plan.containers.insert(container.name);
    plans.push_back(std::move(plan));
  }
  return plans;
}

void validate_sites(const std::vector<SitePlan>& plans, const JsonSource* source) {
  for (std::size_t i = 0; i < plans.size(); ++i)
    if (plans[i].skupper) SiteCheck(plans, i, source).run();
}

skupper::Site site_of(const std::vector<SitePlan>& plans, std::size_t cluster, const SiteAddresses& addresses) {
  const auto& plan = plans.at(cluster);
  skupper::Site site{.id = std::to_string(cluster)};
  for (const auto& link : plan.skupper->links) {
    const auto target = index_of(plans, link.cluster);
    site.remotes.push_back(
        {.id = std::to_string(target), .host = addresses.router(target).to_string(), .cost = link.cost});
  }
  std::set<std::string> names;
  for (const auto& service : plan.skupper->services) {
    const bool first = names.insert(service.name).second;
    site.local_services.push_back({.name = first ? service.name : service.name + "-" + service.container,
                                   .address = service.name,
                                   .host = addresses.container(cluster, service.container).to_string(),
                                   .port = service.port});
  }
  // One of all IPv4 addresses is no listener of IPv6's.
  std::vector<const char*> hosts;
  const auto own = addresses.node(cluster);
  for (const bool v6 : {false, true})
    if (std::any_of(own.begin(), own.end(), [&](const Address& address) { return address.is_v6() == v6; }))
      hosts.push_back(v6 ? "::" : "");
  std::set<std::string> listeners;
  for (const auto& other : plans) {
    if (!other.skupper) continue;
    for (const auto& service : other.skupper->services)
      if (!serves(plan, service.name) && listeners.insert(service.name).second)
        for (const auto* host : hosts)
          site.remote_services.push_back({.address = service.name, .listen_port = service.listen_port, .host = host});
  }
  return site;
}

std::set<std::uint16_t> offered_ports(const std::vector<SitePlan>& plans, std::size_t cluster) {
  std::set<std::uint16_t> ports;
  for (const auto other : joined_with(plans, cluster))
    for (const auto& service : plans[other].skupper->services)
      if (!serves(plans[cluster], service.name)) ports.insert(service.listen_port);
  return ports;
}

bool is_shortest_way(const std::vector<SitePlan>& plans, std::size_t from, std::size_t to) {
  constexpr auto kNone = std::numeric_limits<std::uint64_t>::max() / 2;
  std::vector<std::uint64_t> costs(plans.size(), kNone);
  std::uint64_t straight = kNone;
  costs[from] = 0;
  // Bellman and Ford's: there are few clusters.
  for (std::size_t round = 0; round < plans.size(); ++round)
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (!plans[i].skupper) continue;
      for (const auto& link : plans[i].skupper->links) {
        const auto target = index_of(plans, link.cluster);
        if ((i == from && target == to) || (i == to && target == from)) {
          straight = std::min<std::uint64_t>(straight, link.cost);
          continue;
        }
        costs[target] = std::min(costs[target], costs[i] + link.cost);
        costs[i] = std::min(costs[i], costs[target] + link.cost);
      }
    }
  return straight < costs[to];
}

std::vector<std::size_t> start_order(const std::vector<SitePlan>& plans) {
  std::vector<std::size_t> order;
  std::set<std::size_t> seen;
  const std::function<void(std::size_t)> visit = [&](std::size_t cluster) {
    if (!plans[cluster].skupper || !seen.insert(cluster).second) return;
    for (const auto& link : plans[cluster].skupper->links) visit(index_of(plans, link.cluster));
    order.push_back(cluster);
  };
  for (std::size_t i = 0; i < plans.size(); ++i) visit(i);
  return order;
}

}  // namespace knetsim
