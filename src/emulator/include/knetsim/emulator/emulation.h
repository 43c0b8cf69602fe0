#pragma once

#include <memory>
#include <string>
#include <vector>

#include "knetsim/emulator/cluster.h"
#include "knetsim/emulator/credentials.h"
#include "knetsim/emulator/keeper.h"
#include "knetsim/emulator/port_forward.h"
#include "knetsim/emulator/service_network.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/underlay.h"

namespace knetsim {

/// A whole network that stands: the underlay and the clusters on it. What a test talks to. Needs a sandbox around it.
/// Everything in it ends with this handle; the sandbox takes its links down after the program's end. Move-only.
class Emulation {
 public:
  /// Checks the topology, then brings everything up, clusters side by side, and returns when every part is ready for
  /// use. Throws InputError before anything is started, Error if a part doesn't come up; nothing stays then.
  static Emulation boot(Topology topology, const BootObserver& observer = {});

  /// The same in two steps, for whoever wants to watch a boot or to see what is left of one that failed: first the
  /// nodes and their cables, with nothing running; then, once, all the rest.
  static Emulation plug(Topology topology);
  void start(const BootObserver& observer = {});

  Emulation(Emulation&&) noexcept = default;
  ~Emulation();

  const Topology& topology() const noexcept { return topology_; }
  Underlay& underlay() noexcept { return *underlay_; }
  std::vector<Cluster*> clusters();
  std::vector<Node*> nodes();  ///< etcd nodes and workers of all clusters, then containers

  /// What this means (see Names); nullptr if there is no such node.
  Node* find(const std::string& name);
  /// These throw InputError with the names that there are.
  Cluster& cluster(const std::string& name);
  Worker& worker(const std::string& name);
  Node& node(const std::string& name);

  /// The Kubernetes APIs of all clusters that have one: those that don't run yet are started, side by side. Threads may
  /// call it. Throws InputError if there is none, Error if one doesn't come up.
  void start_apis();
  /// What a program on a node needs of the lab beside its node: kubectl needs the APIs, where there are any.
  void prepare_for(const std::string& program);
  /// kubectl, or what KNETSIM_KUBECTL names, outside of all nodes, with a context for each cluster; the first is the
  /// current one. Answers once start_apis() was called.
  static Command kubectl(std::vector<std::string> arguments);

  /// A kubeconfig for those who reach the APIs at these places, and their token: whoever has it may do everything.
  std::string kubeconfig_for(const std::vector<KubeContext>& contexts);
  /// From now on whoever connects to `listener`, which may be the host's, talks to that port of a node.
  void publish(Fd listener, const Node& node, std::uint16_t port);

  /// Nobody holds on to containers that were looked up before: those of Pods that have gone since are destroyed.
  void bury_retired();

  ServiceNetwork& service_network() noexcept { return *service_network_; }

  /// As Cluster::ailments(), of all clusters and the routers between them.
  std::vector<std::string> ailments();

 private:
  explicit Emulation(Topology topology) : topology_(std::move(topology)) {}
  void start_routers(const BootObserver& observer);
  void have_everything_kept();

  Topology topology_;
  std::unique_ptr<HostsFile> hosts_;
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<Underlay> underlay_;
  std::vector<std::unique_ptr<Cluster>> clusters_;
  std::unique_ptr<ServiceNetwork> service_network_;  // its routers end before the nodes that they run on
  std::unique_ptr<PortForward> port_forward_;
  std::unique_ptr<Keeper> keeper_;  // ends first: what is taken down then isn't put back
};

}  // namespace knetsim
