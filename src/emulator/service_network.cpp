#include "knetsim/emulator/service_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "knetsim/emulator/cluster.h"
#include "knetsim/parts/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/ready.h"
#include "knetsim/sys/sandbox.h"
#include "site_plan.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kBudget{20};

const fs::path& directory() {
  static const auto path = fs::path(kStateDirectory) / "skupper";
  return path;
}

/// A router as it runs, with the config that it was given.
struct Router {
  std::string config;
  Daemon daemon;
};

using Specs = std::vector<std::optional<SkupperSpec>>;
/// Addresses of containers that serve something, also once they are deleted; by cluster and name.
using Homes = std::map<std::pair<std::size_t, std::string>, Address>;

/// What all routers are to do.
struct Wish {
  Specs specs;
  Homes homes;
};

}  // namespace

struct ServiceNetwork::State {
  std::vector<Cluster*> clusters;
  Wish now;
  std::map<std::size_t, Router> routers;

  std::size_t index_of(const Cluster& cluster) const {
    const auto found = std::find(clusters.begin(), clusters.end(), &cluster);
    if (found == clusters.end()) throw InputError(cluster.name() + " is a cluster of another emulation");
    return static_cast<std::size_t>(found - clusters.begin());
  }

  Worker& worker(std::size_t cluster) const { return *clusters[cluster]->workers().front(); }
  static fs::path config_file(std::size_t cluster) { return directory() / (std::to_string(cluster) + ".json"); }
  static fs::path log(std::size_t cluster) { return directory() / (std::to_string(cluster) + ".log"); }

  std::vector<SitePlan> plans(const Wish& wish) const {
    std::vector<SitePlan> plans;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      SitePlan plan{.cluster = clusters[i]->name(),
                    .has_worker = !clusters[i]->workers().empty(),
                    .containers = {},
                    .skupper = wish.specs[i]};
      for (const auto* container : clusters[i]->containers()) plan.containers.insert(container->short_name());
      for (const auto& [home, address] : wish.homes)
        if (home.first == i) plan.containers.insert(home.second);
      plans.push_back(std::move(plan));
    }
    return plans;
  }

  /// Those of the topology that have no address yet.
  void find_homes(Wish& wish) const {
    for (std::size_t i = 0; i < clusters.size(); ++i)
      if (wish.specs[i])
        for (const auto& service : wish.specs[i]->services)
          if (const std::pair home{i, service.container}; !wish.homes.contains(home))
            wish.homes.emplace(home, clusters[i]->container(service.container).address());
  }

  /// All of it, or none: what can be refused is refused before anything is done, and routers that don't come up with
  /// what is new get back what they had.
  void change(const std::function<void(Wish&)>& edit) {
    auto next = now;
    edit(next);
    validate_sites(plans(next));
    find_homes(next);
    try {
      const auto all = plans(next);
      const auto changed = apply(next);
      wait_until_neighbours(all, changed);
      wait_until_ready(all, kBudget);
    } catch (...) {
      put_back();
      throw;
    }
    now = std::move(next);
  }

  void put_back() {
    try {
      apply(now);
      wait_until_ready(plans(now), kBudget);
    } catch (const Error&) {
      // What led here is the one to tell; a router that is missing now is an ailment.
    }
  }

  std::string config_of(const Wish& wish, const std::vector<SitePlan>& all, std::size_t cluster) const {
    const SiteAddresses addresses{.router = [this](std::size_t one) { return worker(one).address(); },
                                  .container =
                                      [&wish](std::size_t one, const std::string& name) {
                                        return wish.homes.at({one, name});
                                      },
                                  .node = [this](std::size_t one) { return worker(one).addresses(); }};
    return skupper::to_config(site_of(all, cluster, addresses));
  }

  /// Throws InputError if there is none, or if it can't be a neighbour of another cluster's.
  parts::Program program_of(const Wish& wish, std::size_t cluster) const {
    const auto flavour_in = [&](std::size_t place) {
      return parts::at(wish.specs[place]->flavour, place, clusters.size());
    };
    auto program = parts::resolve(parts::kSkupper, flavour_in(cluster));
    if (program.flavour != parts::Flavour::real) return program;
    for (std::size_t other = 0; other < clusters.size(); ++other)
      if (wish.specs[other] && flavour_in(other) == parts::Flavour::builtin)
        if (const auto reason = why_not_beside_builtin(program)) throw InputError(*reason);
    return program;
  }

  void launch(std::size_t cluster, const parts::Program& program, const std::string& config) {
    const parts::LaunchSpec spec{.program = program,
                                 .arguments = {"-c", config_file(cluster).string()},
                                 .netns = &worker(cluster).netns(),
                                 .directory = worker(cluster).directory(),
                                 .log = log(cluster)};
    const auto start = [spec] { return std::make_shared<Process>(parts::launch(spec)); };
    auto& router =
        routers
            .insert_or_assign(cluster,
                              Router{config, Daemon(clusters[cluster]->name() + " " + program.path.filename().string(),
                                                    start(), start)})
            .first->second;
    // A real router whose first attempt to connect fails waits for seconds before the next.
    if (program.flavour == parts::Flavour::real)
      wait_until_listening(router.daemon.process(), *spec.netns, {skupper::kInterRouterPort}, kBudget);
  }

  /// Logs' sizes before anything was done; and which routers were started.
  struct Changes {
    std::map<std::size_t, std::uintmax_t> logs;
    std::set<std::size_t> started;
  };

  /// Starts routers that don't run yet, restarts those whose config is another one now, ends those that have none.
  Changes apply(const Wish& wish) {
    make_directories(directory());
    const auto all = plans(wish);
    const auto order = start_order(all);
    struct Start {
      std::size_t cluster;
      parts::Program program;
      std::string config;
    };
    std::vector<Start> starts;
    for (const auto i : order) {
      auto config = config_of(wish, all, i);
      const auto running = routers.find(i);
      if (running != routers.end() && running->second.config == config) continue;
      starts.push_back({i, program_of(wish, i), std::move(config)});
    }
    Changes changes;
    for (const auto& [i, router] : routers) changes.logs[i] = log_size(i);
    for (auto running = routers.begin(); running != routers.end();) {
      const bool wanted = wish.specs[running->first].has_value();
      if (!wanted) running->second.daemon.stop();
      running = wanted ? std::next(running) : routers.erase(running);
    }
    for (const auto& start : starts) {
      // First, so that a router whose config can't be written goes on with the old one.
      write_file_atomically(config_file(start.cluster), start.config);
      if (const auto running = routers.find(start.cluster); running != routers.end()) {
        running->second.daemon.stop();
        routers.erase(running);
      }
      changes.logs[start.cluster] = log_size(start.cluster);
      changes.started.insert(start.cluster);
      launch(start.cluster, start.program, start.config);
    }
    return changes;
  }

  static std::uintmax_t log_size(std::size_t cluster) {
    std::error_code absent;
    const auto size = fs::file_size(log(cluster), absent);
    return absent ? 0 : size;
  }

  /// A port that is open may still be the one of before: a listener is withdrawn only once its router has worked
  /// through the loss of the service's. So each router next to one that was started anew must have found its way to
  /// that since then, straight if that is the shortest.
  void wait_until_neighbours(const std::vector<SitePlan>& all, const Changes& changes) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!all[i].skupper) continue;
      for (const auto& link : all[i].skupper->links) {
        const auto target = static_cast<std::size_t>(
            std::find_if(all.begin(), all.end(), [&](const SitePlan& one) { return one.cluster == link.cluster; }) -
            all.begin());
        if (!changes.started.contains(i) && !changes.started.contains(target)) continue;
        const bool straight = is_shortest_way(all, i, target);
        wait_for_way(i, target, straight, changes.logs.at(i));
        wait_for_way(target, i, straight, changes.logs.at(target));
      }
    }
  }

  void wait_for_way(std::size_t from, std::size_t to, bool straight, std::uintmax_t mark) {
    const auto way = straight ? fmt::format("'{0}': '{0}'", to) : fmt::format("'{}': ", to);
    const auto neighbours =
        fmt::format("{}'s router knowing {}'s as its neighbour", clusters[from]->name(), clusters[to]->name());
    knetsim::wait_until_ready(routers.at(from).daemon.process(),
                              {.deed = fmt::format("knew {}'s as its neighbour", clusters[to]->name()),
                               .probe = [&]() -> std::optional<std::string> {
                                 constexpr std::string_view kHops = "Computed next hops: ";
                                 const auto text = read_file(log(from));
                                 const auto last = text.rfind(kHops);
                                 const bool found =
                                     last != std::string::npos && last >= mark &&
                                     text.substr(last, text.find('\n', last) - last).find(way) != std::string::npos;
                                 return found ? std::nullopt : std::optional(neighbours);
                               },
                               .watched = log(from)},
                              kBudget);
  }

  void wait_until_ready(const std::vector<SitePlan>& all, std::chrono::milliseconds budget) {
    for (const auto i : start_order(all)) {
      for (const auto& service : all[i].skupper->services)
        for (auto* container : clusters[i]->containers())
          if (container->short_name() == service.container && container->has_program())
            wait_until_listening(container->program().process(), container->netns(), {service.port}, budget);
      auto ports = offered_ports(all, i);
      ports.insert(skupper::kInterRouterPort);
      wait_until_listening(routers.at(i).daemon.process(), worker(i).netns(), ports, budget);
    }
  }
};

ServiceNetwork::ServiceNetwork(std::vector<Cluster*> clusters) : state_(std::make_unique<State>()) {
  for (const auto* cluster : clusters) state_->now.specs.push_back(cluster->spec().skupper);
  state_->clusters = std::move(clusters);
}

ServiceNetwork::~ServiceNetwork() = default;

void ServiceNetwork::start() {
  state_->find_homes(state_->now);
  state_->apply(state_->now);
  wait_until_ready(kBudget);
}

void ServiceNetwork::expose(const Cluster& cluster, const ExposedServiceSpec& service) {
  auto& state = *state_;
  const auto i = state.index_of(cluster);
  state.change([&](Wish& wish) {
    if (!wish.specs[i]) wish.specs[i].emplace();
    wish.specs[i]->services.push_back(service);
    // Where it is now: an earlier container of that name had another address.
    wish.homes.insert_or_assign({i, service.container}, state.clusters[i]->container(service.container).address());
  });
}

void ServiceNetwork::unexpose(const Cluster& cluster, const std::string& service) {
  const auto i = state_->index_of(cluster);
  state_->change([&](Wish& wish) {
    auto& spec = wish.specs[i];
    if (!spec || std::erase_if(spec->services, [&](const ExposedServiceSpec& one) { return one.name == service; }) == 0)
      throw InputError(fmt::format("{} exposes no service \"{}\"", cluster.name(), service));
  });
}

void ServiceNetwork::link(const Cluster& from, const Cluster& to, unsigned cost) {
  auto& state = *state_;
  const auto i = state.index_of(from);
  const auto target = state.index_of(to);
  state.change([&](Wish& wish) {
    for (auto* spec : {&wish.specs[i], &wish.specs[target]})
      if (!*spec) spec->emplace();
    wish.specs[i]->links.push_back({.cluster = to.name(), .cost = cost});
  });
}

void ServiceNetwork::wait_until_ready(std::chrono::milliseconds budget) {
  state_->wait_until_ready(state_->plans(state_->now), budget);
}

const SkupperSpec* ServiceNetwork::spec(const Cluster& cluster) const {
  const auto& spec = state_->now.specs[state_->index_of(cluster)];
  return spec ? &*spec : nullptr;
}

Daemon& ServiceNetwork::router(const Cluster& cluster) {
  const auto found = state_->routers.find(state_->index_of(cluster));
  if (found != state_->routers.end()) return found->second.daemon;
  throw InputError(describe({.where = cluster.name(),
                             .tried = "find its router",
                             .answer = "it has none",
                             .remedy = "add \"skupper\" to the cluster in the topology, or link it with another one"}));
}

std::vector<std::string> ServiceNetwork::ailments() {
  std::vector<std::string> result;
  for (auto& [cluster, router] : state_->routers)
    if (auto ailment = router.daemon.ailment()) result.push_back(std::move(*ailment));
  return result;
}

}  // namespace knetsim
