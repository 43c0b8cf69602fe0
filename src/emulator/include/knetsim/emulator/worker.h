#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/cni/pod_network.h"
#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/keeper.h"
#include "knetsim/emulator/names.h"
#include "knetsim/emulator/node.h"
#include "knetsim/kubeproxy/vips.h"

namespace knetsim {

/// A Kubernetes node: containers, a proxy, and perhaps a flannel daemon, which its cluster starts. Stays where it is
/// made; different workers may be used by different threads, and its containers may be looked up while others come and
/// go.
class Worker : public Node {
 public:
  /// `prefix` goes before the pinned names of its containers: "k0_". `hosts`, which learns those of `cluster` as they
  /// come and go, must outlive it.
  Worker(Node node, std::string prefix, const cni::Plugins& plugins, const kubeproxy::VipOptions& proxy,
         std::string cluster, HostsFile& hosts);
  Worker(Worker&&) = delete;
  ~Worker();

  /// Adds a container to the network (CNI ADD), which is told of `runtime_config` (as ContainerSpec has it). Throws if
  /// the name is taken, and leaves nothing behind on failure. Its hostname is the worker's, if none is given.
  Container& create_container(const std::string& name, const std::string& runtime_config = {},
                              const std::string& hostname = {});
  /// Removes it from the network (CNI DEL) and ends it. Throws InputError if there is none.
  void delete_container(const std::string& name);
  /// The same, for a thread that isn't the one that looks containers up: who has found it already may go on with it, in
  /// a network that has no way out any more, until bury_retired(). It isn't found any more.
  void retire_container(const std::string& name);
  /// Nobody goes on with those that were retired.
  void bury_retired();
  /// Throws InputError naming the containers that are there.
  Container& container(const std::string& name);
  std::vector<Container*> containers();
  /// Runs a program in one of its containers, as the original's prompt does.
  ExecResult exec_container(const std::string& name, std::vector<std::string> argv,
                            std::chrono::milliseconds timeout = kExecTimeout);

  /// From now on the routes that its containers were given are put back when they are taken away.
  void have_routes_kept(Keeper& keeper);

  /// FLANNEL_SUBNET and kin: where the lease of this worker is written.
  std::filesystem::path subnet_file() const { return directory() / "subnet.env"; }
  cni::PodNetwork& pods() noexcept { return pods_; }
  kubeproxy::VipProxy& proxy() noexcept { return proxy_; }

  void set_flanneld(Daemon daemon) { flanneld_.emplace(std::move(daemon)); }
  /// Throws InputError if this cluster has no flannel.
  Daemon& flanneld();
  bool has_flanneld() const noexcept { return flanneld_.has_value(); }

 private:
  void keep_routes_of(const Container& container);
  /// Out of the network and the names; it stays in the list.
  void disconnect(const Container& container);

  std::string prefix_;
  std::string cluster_;
  HostsFile& hosts_;
  cni::PodNetwork pods_;
  kubeproxy::VipProxy proxy_;
  mutable std::mutex listed_;  // guards the lists, not what is in them
  std::map<std::string, std::unique_ptr<Container>> containers_;
  std::vector<std::unique_ptr<Container>> retired_;
  std::optional<Daemon> flanneld_;
  Keeper* keeper_ = nullptr;
};

/// The one of a cluster's workers that has this container. Throws InputError naming those that there are.
Worker& worker_with(const std::string& container, const std::vector<Worker*>& workers, const std::string& cluster);

}  // namespace knetsim
