#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/emulator/keeper.h"
#include "knetsim/emulator/node.h"
#include "knetsim/emulator/service_network.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/underlay.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/etcd/ensemble.h"
#include "knetsim/kubeproxy/service.h"
#include "knetsim/netlink/route.h"

namespace knetsim {

/// Told of each part that stands: "C0: etcd" and the seconds since its cluster's start, "routers" and the seconds since
/// all clusters stood. Called from several threads,
/// one at a time.
using BootObserver = std::function<void(const std::string& part, double seconds)>;

/// One Kubernetes cluster of an emulation. Stays where it is made.
class Cluster {
 public:
  /// Plugs its nodes into the underlay; nothing runs yet. `index` numbers the cluster: its containers' namespaces are
  /// pinned as k<index>_<name>, and `hosts` learns what they are called.
  Cluster(const ClusterSpec& spec, unsigned index, Underlay& underlay, HostsFile& hosts);
  Cluster(Cluster&&) = delete;
  ~Cluster();

  /// Brings up etcd, flannel, containers and VIPs, and returns when all of it is ready for use.
  void start(const BootObserver& observer);

  const std::string& name() const noexcept { return spec_.name; }
  const ClusterSpec& spec() const noexcept { return spec_; }
  std::vector<Node*> etcd_nodes();
  std::vector<Worker*> workers();
  std::vector<Container*> containers();
  /// These throw InputError naming what is there.
  Worker& worker(const std::string& name);
  Container& container(const std::string& name);
  Worker& worker_of(const std::string& container);
  /// Throws InputError if the cluster has none.
  etcd::Ensemble& etcd();
  /// Once it has been started.
  bool has_etcd() const noexcept { return etcd_.has_value(); }

  Container& create_container(const std::string& worker, const std::string& name);
  void delete_container(const std::string& name);

  /// Makes every worker translate `vip` to these containers in turn; a VIP that is there already is replaced and starts
  /// with its first container. A container that is deleted later keeps its turn, as in the original. UDP and ping flows
  /// go on with those that serve now, and established TCP ones with those that they have; see Proxy::apply. All workers
  /// do it or, with an Error, none. Throws InputError if the VIP lies outside the cluster's ranges of services.
  void kp_vip_add(const std::string& vip, const std::vector<std::string>& containers);
  /// Throws InputError if the VIP isn't there.
  void kp_vip_delete(const std::string& vip);
  const std::vector<kubeproxy::Service>& services() const noexcept { return services_; }

  /// Offers a container's TCP port to the clusters that this one is linked with, under `name`, at `listen_port` of
  /// their first workers; see ServiceNetwork for what that does to connections. Several containers may serve one name.
  void expose(const std::string& container, std::uint16_t port, const std::string& name, std::uint16_t listen_port);
  /// Takes that back.
  void unexpose(const std::string& name);
  /// The router on the first worker. Throws InputError if there is none.
  Daemon& router();
  /// Where expose() and router() turn to. It must outlive the cluster's use of them.
  void join(ServiceNetwork& network) noexcept { service_network_ = &network; }

  /// From now on the workers' routes to services and their containers' routes are put back when they are taken away.
  /// `when_up` as in Kept. The keeper must outlive the cluster's use of it.
  void have_routes_kept(Keeper& keeper, const std::function<void(netlink::Socket&, int)>& when_up);

  /// Waits until every worker has a route to every other worker's pods.
  void wait_for_mesh(std::chrono::milliseconds budget = std::chrono::seconds(20));

  /// Each daemon that ended without having been told to, or that crashed; with the end of its log.
  std::vector<std::string> ailments();

 private:
  void start_etcd();
  void write_static_subnets(unsigned mtu);
  std::vector<netlink::Route> service_routes() const;
  void route_services();
  /// Throws InputError if the VIP lies outside the ranges, or a container can't serve it.
  kubeproxy::Service service(const Address& vip, const std::vector<std::string>& containers);
  ServiceNetwork& service_network();
  void apply_services(std::vector<kubeproxy::Service> services);
  /// After containers have come or gone.
  void reconcile_services();
  void put_back_services(Worker& worker) const;

  ClusterSpec spec_;
  unsigned mtu_;
  std::vector<Node> etcd_nodes_;
  // The daemons come after the nodes that they run on, so that they end first.
  std::optional<etcd::Ensemble> etcd_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<kubeproxy::Service> services_;
  ServiceNetwork* service_network_ = nullptr;
  unsigned revision_ = 0;  // of the service added last: one that is added again starts anew
};

}  // namespace knetsim
