#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>

#include "backend.h"
#include "complaints.h"
#include "knetsim/etcd/client.h"
#include "knetsim/flannel/config.h"
#include "knetsim/flannel/options.h"
#include "knetsim/netlink/socket.h"
#include "own_lease.h"
#include "registry.h"
#include "remote_leases.h"
#include "traffic_rules.h"

namespace knetsim::flannel {

/// knetsim-flanneld: takes a lease, makes the data plane, and keeps it in step with etcd and the kernel. One thread, in
/// the network namespace of its caller.
class Daemon {
 public:
  explicit Daemon(DaemonOptions options);

  /// Runs until a signal (SIGINT, SIGTERM), the loss of the lease, or a failure; returns the exit code. What it made in
  /// the kernel stays. Call std::exit() with it: work that is under way is left as it is, and never finished.
  int run();

 private:
  /// Runs it at the side; the daemon ends with its failure.
  void spawn(awaitable<void> coroutine);
  awaitable<void> work();
  void write_subnet_file(const LeaseSubnets& own) const;
  LeaseSubnets previous_subnets() const;
  void make_data_plane();
  void apply(const OwnLease::Acquired& acquired);
  awaitable<void> follow_leases(etcd::Revision revision);
  awaitable<etcd::Revision> list_again();
  /// Does what the change of a lease asks for; what the kernel refuses of it is logged.
  void handle(const etcd::Event& event);
  void follow(const etcd::Event& event);
  /// Neither ours nor, for a reason that is logged, one to be ignored.
  bool is_followed(const RegisteredLease& lease);
  Surroundings look_around(const ExternalInterface& interface);
  awaitable<void> follow_kernel();
  void write_traffic_rules();
  awaitable<void> follow_rules();
  awaitable<void> keep_lease();
  void lease_is_lost();
  void stop(int code);

  DaemonOptions options_;
  boost::asio::io_context context_{1};
  etcd::Client client_;
  Registry registry_;
  netlink::Socket socket_;
  std::optional<Config> config_;
  std::unique_ptr<Backend> backend_;
  Surroundings surroundings_;
  Complaints complaints_;
  std::unique_ptr<OwnLease> own_;
  std::unique_ptr<TrafficManager> rules_;
  std::unique_ptr<RemoteLeases> remote_;
  std::optional<int> exit_code_;
};

}  // namespace knetsim::flannel
