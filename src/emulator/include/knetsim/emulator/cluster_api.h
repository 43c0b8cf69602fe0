#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/apiserver/client.h"
#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/node.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

class Container;
class Worker;

/// The Kubernetes API of one cluster: a server on its first etcd node, which everybody outside of the nodes reaches in
/// plain HTTP on 127.0.0.1, nodes on its node's address, and the workers and containers in it as Nodes and Pods.
/// Move-only.
class ClusterApi {
 public:
  /// Of the cluster with that index: 8001, 8002 ...
  static std::uint16_t port_of(std::size_t index) { return static_cast<std::uint16_t>(8001 + index); }
  /// "http://127.0.0.1:8001"
  static std::string url_of(std::size_t index);

  /// Opens the port; nothing runs yet. `node`, on which the server will run, must outlive it. Throws Error if the port
  /// is taken.
  ClusterApi(const Node& node, std::uint16_t port, std::vector<std::string> etcd_endpoints);

  /// Starts the server and returns when it answers; the controllers are started then, and not waited for. Throws
  /// InputError if a program isn't there, Error with the end of its log if the server doesn't come up.
  void start();
  bool started() const noexcept { return controllers_.has_value(); }

  std::uint16_t port() const noexcept { return port_; }
  /// Where somebody who connects can be seen: it listens from the beginning.
  FdView listener() const noexcept { return listener_; }
  /// These throw InputError if it wasn't started.
  Daemon& server();
  Daemon& controllers();

  /// The Node, or the Pod, as it is now: made, or brought up to date.
  void publish(const Worker& worker);
  /// Returns the Pod's uid.
  std::string publish(const Container& container, const Worker& worker);
  /// Its Pod goes at once; one that isn't there is no error.
  void withdraw(const Container& container);

 private:
  Daemon& of(std::optional<Daemon>& daemon, const char* what) const;
  void start_server();
  void start_controllers();
  /// Returns its uid.
  std::string put(const std::string& collection, const nlohmann::json& object);
  /// Whose Pod it is; empty if nobody's of ours, or if there is none.
  std::string container_of(const std::string& pod);
  /// Throws InputError if the Pod there is another container's.
  void refuse_anothers(const std::string& one, const nlohmann::json& object);

  const Node* node_;
  std::uint16_t port_;
  std::vector<std::string> etcd_;
  Fd listener_;
  std::optional<Daemon> server_;
  std::optional<Daemon> controllers_;
  apiserver::Client client_;
};

/// Where one cluster is asked.
struct KubeContext {
  std::string name;  ///< the cluster's
  std::string url;
};

/// A kubeconfig (client-go's clientcmd/api/v1) with a context for each cluster; the first is the current one.
std::string kubeconfig(const std::vector<KubeContext>& contexts);

}  // namespace knetsim
