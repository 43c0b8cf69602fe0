#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/apiserver/client.h"
#include "knetsim/emulator/credentials.h"
#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/node.h"
#include "knetsim/emulator/port_forward.h"
#include "knetsim/kube/manifest.h"
#include "knetsim/sys/fd.h"

namespace knetsim {

class Container;
class Worker;

/// The Kubernetes API of one cluster: a server, ours or a real kube-apiserver as KNETSIM_APISERVER says, on its first
/// etcd node. Everybody outside of the nodes reaches it in plain HTTP on 127.0.0.1, everybody in the lab over TLS on
/// its node's address; the workers and containers are in it as Nodes and Pods. Move-only.
class ClusterApi {
 public:
  /// Of the cluster with that index: 8001, 8002 ...
  static std::uint16_t port_of(std::size_t index) { return static_cast<std::uint16_t>(8001 + index); }
  /// "http://127.0.0.1:8001"
  static std::string url_of(std::size_t index);
  static constexpr std::uint16_t kSecurePort = 6443;
  /// "https://10.0.0.1:6443"
  static std::string secure_url_of(const Address& node);
  /// For people on the nodes of the cluster whose first etcd node this is: there once the API was asked for.
  static std::filesystem::path kubeconfig_in(const Node& node);
  /// For that cluster's kube-proxies.
  static std::filesystem::path proxy_kubeconfig_in(const Node& node);

  /// Opens the port; nothing runs yet. `node`, on which the server will run, must outlive it, and so must the
  /// credentials. Over TLS it serves on `secure_listeners`, too. Throws Error if the port is taken.
  ClusterApi(const Node& node, std::uint16_t port, std::vector<std::string> etcd_endpoints, Credentials& credentials,
             std::string cluster, std::vector<Fd> secure_listeners = {});

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
  /// Ours beside a real kube-controller-manager, which has none; else null.
  Daemon* scheduler();

  /// Makes the object, or changes the one that is there into it. Throws InputError with the server's words and the
  /// object's place if it is refused. Threads may call it side by side.
  void apply(const kube::Manifest& manifest) const;
  /// What the server answers to GET of this path; throws Error with its words if that isn't good.
  nlohmann::json ask(const std::string& path) const;

  /// The Node, or the Pod, as it is now: made, or brought up to date.
  void publish(const Worker& worker);
  /// Returns the Pod's uid.
  std::string publish(const Container& container, const Worker& worker);
  /// Its Pod goes at once; one that isn't there is no error.
  void withdraw(const Container& container);

 private:
  Daemon& of(std::optional<Daemon>& daemon, const char* what) const;
  void start_server();
  void open_doors();
  std::optional<std::string> why_not_ready() const;
  void start_controllers();
  void route_to_pods_of(const Worker& worker) const;
  /// Returns its uid.
  std::string put(const std::string& collection, const nlohmann::json& object);
  /// Whose Pod it is; empty if nobody's of ours, or if there is none.
  std::string container_of(const std::string& pod);
  /// Throws InputError if the Pod there is another container's.
  void refuse_anothers(const std::string& one, const nlohmann::json& object);

  const Node* node_;
  Credentials* credentials_;
  std::string cluster_;
  std::uint16_t port_;
  std::vector<std::string> etcd_;
  Fd listener_;
  std::vector<Fd> secure_listeners_;
  std::unique_ptr<PortForward> doors_ = {};  // to a real server
  std::optional<Daemon> server_;
  std::optional<Daemon> controllers_;
  std::optional<Daemon> scheduler_;
  apiserver::Client client_;
};

}  // namespace knetsim
