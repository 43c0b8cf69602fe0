#include "knetsim/emulator/service_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "knetsim/emulator/cluster.h"
#include "knetsim/skupper/launcher.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/sandbox.h"
#include "knetsim/sys/sockets.h"
#include "site_plan.h"

namespace knetsim {

namespace fs = std::filesystem;

namespace {

const fs::path& directory() {
  static const auto path = fs::path(kStateDirectory) / "skupper";
  return path;
}

// The first cluster's router is the real one of a mixed network.
std::string flavour_of(const std::string& flavour, std::size_t cluster) {
  if (flavour != "mixed") return flavour;
  return cluster == 0 ? "real" : "builtin";
}

/// A router as it runs, with the config that it was given.
struct Router {
  std::string config;
  Daemon daemon;
};

}  // namespace

struct ServiceNetwork::State {
  std::vector<Cluster*> clusters;
  std::vector<std::optional<SkupperSpec>> specs;                 // as they are now: services come and go
  std::map<std::pair<std::size_t, std::string>, Address> homes;  // of services, also once their container is deleted
  std::map<std::size_t, Router> routers;

  std::size_t index_of(const Cluster& cluster) const {
    const auto found = std::find(clusters.begin(), clusters.end(), &cluster);
    if (found == clusters.end()) throw InputError(cluster.name() + " is a cluster of another emulation");
    return static_cast<std::size_t>(found - clusters.begin());
  }

  Worker& worker(std::size_t cluster) const { return *clusters[cluster]->workers().front(); }

  std::vector<SitePlan> plans() const {
    std::vector<SitePlan> plans;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      SitePlan plan{.cluster = clusters[i]->name(),
                    .has_worker = !clusters[i]->workers().empty(),
                    .containers = {},
                    .skupper = specs[i]};
      for (const auto* container : clusters[i]->containers()) plan.containers.insert(container->short_name());
      for (const auto& [home, address] : homes)
        if (home.first == i) plan.containers.insert(home.second);
      plans.push_back(std::move(plan));
    }
    return plans;
  }

  /// Tries new specs, and keeps the old ones if they can't be.
  void change(const std::function<void()>& work) {
    const auto before = specs;
    work();
    try {
      validate_sites(plans());
    } catch (const InputError&) {
      specs = before;
      throw;
    }
  }

  std::string config_of(std::size_t cluster, const std::vector<SitePlan>& all) const {
    const SiteAddresses addresses{.router = [this](std::size_t one) { return worker(one).address(); },
                                  .container =
                                      [this](std::size_t one, const std::string& name) {
                                        return homes.at({one, name});
                                      }};
    return skupper::to_config(site_of(all, cluster, addresses));
  }

  void launch(std::size_t cluster, const std::string& config) {
    const auto program = skupper::resolve(flavour_of(specs[cluster]->flavour, cluster));
    const auto name = std::to_string(cluster);
    const skupper::LaunchSpec spec{.netns = &worker(cluster).netns(),
                                   .config = directory() / (name + ".json"),
                                   .directory = worker(cluster).directory(),
                                   .log = directory() / (name + ".log")};
    write_file_atomically(spec.config, config);
    const auto start = [program, spec] { return std::make_shared<Process>(skupper::launch(program, spec)); };
    auto& router =
        routers
            .insert_or_assign(cluster,
                              Router{config, Daemon(clusters[cluster]->name() + " " + program.path.filename().string(),
                                                    start(), start)})
            .first->second;
    // A real router whose first attempt to connect fails waits for seconds before the next.
    if (program.flavour == skupper::Flavour::real)
      wait_until_listening(router.daemon.process(), *spec.netns, {skupper::kInterRouterPort}, std::chrono::seconds(20));
  }

  /// Starts routers that don't run yet, and restarts those whose config is another one now.
  void apply() {
    fs::create_directories(directory());
    for (std::size_t i = 0; i < clusters.size(); ++i)
      if (specs[i])
        for (const auto& service : specs[i]->services)
          if (const std::pair home{i, service.container}; !homes.contains(home))
            homes.emplace(home, clusters[i]->container(service.container).address());
    const auto all = plans();
    for (const auto i : start_order(all)) {
      const auto config = config_of(i, all);
      const auto running = routers.find(i);
      if (running != routers.end() && running->second.config == config) continue;
      if (running != routers.end()) {
        running->second.daemon.stop();
        routers.erase(running);
      }
      launch(i, config);
    }
  }

  void wait_until_ready(std::chrono::milliseconds budget) {
    const auto all = plans();
    for (const auto i : start_order(all)) {
      for (const auto& service : specs[i]->services)
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
  for (const auto* cluster : clusters) state_->specs.push_back(cluster->spec().skupper);
  state_->clusters = std::move(clusters);
}

ServiceNetwork::~ServiceNetwork() = default;

void ServiceNetwork::start() {
  state_->apply();
  state_->wait_until_ready(std::chrono::seconds(20));
}

void ServiceNetwork::expose(const Cluster& cluster, const ExposedServiceSpec& service) {
  auto& state = *state_;
  const auto i = state.index_of(cluster);
  state.change([&] {
    if (!state.specs[i]) state.specs[i].emplace();
    state.specs[i]->services.push_back(service);
  });
  // Where it is now: an earlier container of that name had another address.
  state.homes.insert_or_assign({i, service.container}, state.clusters[i]->container(service.container).address());
  start();
}

void ServiceNetwork::unexpose(const Cluster& cluster, const std::string& service) {
  auto& spec = state_->specs[state_->index_of(cluster)];
  if (!spec || std::erase_if(spec->services, [&](const ExposedServiceSpec& one) { return one.name == service; }) == 0)
    throw InputError(fmt::format("{} exposes no service \"{}\"", cluster.name(), service));
  start();
}

void ServiceNetwork::link(const Cluster& from, const Cluster& to, unsigned cost) {
  auto& state = *state_;
  const auto i = state.index_of(from);
  const auto target = state.index_of(to);
  state.change([&] {
    for (auto* spec : {&state.specs[i], &state.specs[target]})
      if (!*spec) spec->emplace();
    state.specs[i]->links.push_back({.cluster = to.name(), .cost = cost});
  });
  start();
}

void ServiceNetwork::wait_until_ready(std::chrono::milliseconds budget) { state_->wait_until_ready(budget); }

const SkupperSpec* ServiceNetwork::spec(const Cluster& cluster) const {
  const auto& spec = state_->specs[state_->index_of(cluster)];
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
