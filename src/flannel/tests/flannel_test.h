#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/etcd/ensemble.h"
#include "knetsim/etcd/sync_client.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/flannel/lease.h"
#include "knetsim/netlink/link.h"
#include "knetsim/netlink/route.h"
#include "knetsim/netlink/socket.h"
#include "knetsim/sys/netns.h"

namespace knetsim::flannel::test {

/// For a daemon that is to end by itself.
inline constexpr std::chrono::seconds kExitBudget{20};

inline constexpr const char* kVxlan = R"({"Network": "11.0.0.0/8", "SubnetLen": 20, "SubnetMin": "11.10.0.0",
    "SubnetMax": "11.99.0.0", "Backend": {"Type": "vxlan", "VNI": 100, "Port": 8472}})";
inline constexpr const char* kHostGw = R"({"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}})";
inline constexpr const char* kDualStack = R"({"Network": "11.0.0.0/8", "SubnetLen": 20, "EnableIPv6": true,
    "IPv6Network": "fd11::/48", "Backend": {"Type": "vxlan", "VNI": 100}})";

/// A node with eth0 on the switch: worker i has 10.0.0.<10+i>/8 and, if flannel has IPv6, fd00::<10+i in hex>/64.
struct Worker {
  explicit Worker(std::string node_name) : name(std::move(node_name)), netns(NetNs::create()) {}

  std::string name;
  NetNs netns;
  Address v4;
  Address v6;
  std::optional<Launched> daemon;
  SubnetEnv env;  ///< of the last daemon that became ready

  std::filesystem::path log() const { return "/tmp/knetsim/" + name + ".log"; }
  netlink::Socket socket() const { return netlink::Socket(netns, name); }
  /// Its flannel subnet, without host bits.
  Network subnet() const { return canonical(env.subnet.value()); }
  Network subnet_v6() const { return canonical(env.ipv6_subnet.value()); }
};

/// Workers and one etcd node, 10.0.0.1, on one switch: real namespaces, real etcd, real daemons.
class FlannelTest : public testing::Test {
 protected:
  /// Also starts etcd and writes the config.
  void stand_up(std::size_t workers, const std::string& json);
  void configure(const std::string& json);

  Worker& worker(std::size_t index) { return *workers_.at(index); }
  std::size_t size() const { return workers_.size(); }
  etcd::SyncClient& etcd() { return *client_; }
  void stop_etcd() { ensemble_->members().front().stop(); }
  /// Waits until it is healthy again.
  void restart_etcd();
  const Config& config() const { return config_; }

  DaemonOptions options(std::size_t index);
  /// Starts a daemon, the present one (if any) being over.
  void start(std::size_t index) { start(index, options(index)); }
  void start(std::size_t index, const DaemonOptions& options);
  void await_ready(std::size_t index);
  /// Starts all of them in the same instant and waits for each to be ready.
  void start_all();
  /// SIGTERM; its exit status.
  ExitStatus stop(std::size_t index, int signal = SIGTERM);

  /// Waits until `from` has route, neighbour and FDB entry of vxlan peer `to`.
  void await_peer(std::size_t from, std::size_t to);
  void await_full_mesh();
  void await_log(std::size_t index, const std::string& text);
  std::string log_of(std::size_t index);
  /// For topologies with more than the switch: a link eth0 of that namespace on it; a route of the etcd node's.
  void plug_into_switch(const NetNs& netns, const std::string& port);
  void add_etcd_route(const netlink::Route& route);
  /// Gives each worker a pod's address: the first of its subnet, on lo.
  void add_pods();
  /// From pod to pod; what ping says.
  ExecResult ping(std::size_t from, std::size_t to, std::vector<std::string> more = {"-c1", "-W5"});

  /// The leases in etcd: key name and value.
  std::vector<etcd::KeyValue> leases();
  std::optional<etcd::KeyValue> lease_of(std::size_t index);
  std::string key_of(std::size_t index);
  static std::string prefix() { return "/coreos.com/network/subnets/"; }

 private:
  void add_worker(std::size_t index);

  std::optional<NetNs> switch_;
  int bridge_ = 0;
  std::optional<NetNs> etcd_node_;
  std::optional<etcd::Ensemble> ensemble_;
  std::optional<etcd::SyncClient> client_;
  Config config_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace knetsim::flannel::test
