#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/emulator/cluster_api.h"
#include "knetsim/emulator/keeper.h"
#include "knetsim/emulator/node.h"
#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/underlay.h"
#include "knetsim/emulator/vip_book.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/etcd/ensemble.h"

namespace knetsim {

class Kubelet;
class KubeletServer;
class PodRuntime;
namespace kubelet {
class PodRegistry;
}  // namespace kubelet

/// Told of each part that stands: "C0: etcd" and the seconds since its cluster's start, "routers" and the seconds since
/// all clusters stood. Called from several threads,
/// one at a time.
using BootObserver = std::function<void(const std::string& part, double seconds)>;

/// One Kubernetes cluster of an emulation. Stays where it is made.
class Cluster {
 public:
  /// Plugs its nodes into the underlay; nothing runs yet. `index` numbers the cluster: its containers' namespaces are
  /// pinned as k<index>_<name>, and `hosts` learns what they are called. `credentials` must outlive it.
  Cluster(ClusterSpec spec, unsigned index, Underlay& underlay, HostsFile& hosts, Credentials& credentials);
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

  /// Its Kubernetes API, with the workers and containers in it: the first call starts it, from then on they are kept up
  /// to date. Threads may call it side by side. Throws InputError if the cluster has none, Error if it doesn't come up.
  ClusterApi& api();
  /// A socket that listens, of whatever network: its API is served there, over TLS, too. Before start().
  void serve_api_on(Fd listener) { api_listeners_.push_back(std::move(listener)); }
  /// What it answers to GET of this path; throws InputError if nobody has asked it before, Error with its words.
  nlohmann::json ask_api(const std::string& path) const;
  /// Its server, if somebody has asked it; null before that.
  Daemon* api_server();
  /// Its controllers, likewise.
  Daemon* api_controllers();
  /// The kube-proxy of one of its workers, likewise.
  Daemon* kube_proxy(const Worker& worker);

  /// Makes the objects of these files, or changes those that are there into them, in order; all are read before. Throws
  /// InputError that names file, line and document of what can't be read, or what the server refuses, with its words.
  void apply(const std::vector<std::filesystem::path>& files);
  void apply(const std::filesystem::path& file) { apply(std::vector{file}); }

  Container& create_container(const std::string& worker, const std::string& name);
  /// What stands for a Pod that somebody applied goes with it.
  void delete_container(const std::string& name);

  // For the kubelet, in its own thread.
  /// A container that stands for a Pod: the API has it already.
  Container& create_pod(Worker& worker, const std::string& name, const std::string& hostname);
  /// It is found no more; see Worker::retire_container().
  void retire_pod(const Container& container);
  /// Whether a container was published as the Pod with this uid, and is there.
  bool is_published(const std::string& uid);
  /// Its program, which is about to be ended by its pidfd; null if it runs none.
  Daemon::Handle end_program_of_published(const std::string& uid);
  /// The same as retire_pod(). Gone already is no error.
  void retire_published(const std::string& uid);

  /// Whoever has looked containers up is done with them: those that have gone meanwhile may be destroyed.
  void bury_retired();
  /// From now on Pods are neither started nor ended.
  void end_kubelet() noexcept;

  VipBook& vips() noexcept { return *vips_; }

  /// From now on the workers' routes to services and their containers' routes are put back when they are taken away.
  /// `when_up` as in Kept. The keeper must outlive the cluster's use of it.
  void have_routes_kept(Keeper& keeper, const std::function<void(netlink::Socket&, int)>& when_up);

  /// Waits until every worker has a route to every other worker's pods.
  void wait_for_mesh(std::chrono::milliseconds budget = std::chrono::seconds(20));

  /// Each daemon that ended without having been told to, or that crashed; with the end of its log.
  std::vector<std::string> ailments();

 private:
  void start_etcd();
  void start_kubelet_server();
  void write_static_subnets(unsigned mtu);

  ClusterSpec spec_;
  unsigned index_;
  unsigned mtu_;
  Credentials* credentials_;
  std::vector<Node> etcd_nodes_;
  // The daemons come after the nodes that they run on, so that they end first.
  std::optional<etcd::Ensemble> etcd_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<VipBook> vips_;
  // With objects_:
  /// Throws InputError if the cluster has one of that name.
  void refuse_taken(const std::string& name);
  void retire(const std::string& name);

  std::mutex objects_;  // guards which containers there are, and what the API is told of them
  std::vector<Fd> api_listeners_;
  std::optional<ClusterApi> api_;
  std::vector<Daemon> kube_proxies_;  // as workers_
  std::atomic<bool> api_started_ = false;
  bool published_ = false;
  std::map<std::string, std::string> published_pods_;     // uid -> short name of the container
  std::unique_ptr<PodRuntime> own_pods_;                  // what can be done in the containers that were published,
  std::unique_ptr<kubelet::PodRegistry> pod_containers_;  // and in those of all Pods
  std::unique_ptr<Kubelet> kubelet_;                      // ends before what it makes containers of
  std::unique_ptr<KubeletServer> kubelet_server_;         // ends first, with all that runs for its clients
};

}  // namespace knetsim
