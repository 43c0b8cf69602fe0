#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "knetsim/emulator/daemon.h"
#include "knetsim/emulator/topology.h"

namespace knetsim {

class Cluster;

/// The routers through which clusters reach each other's services: one on the first worker of each cluster that takes
/// part. Config and log of the i-th cluster's are /run/knetsim/skupper/<i>.json and .log. Not thread-safe.
class ServiceNetwork {
 public:
  /// The clusters must outlive it.
  explicit ServiceNetwork(std::vector<Cluster*> clusters);
  ServiceNetwork(ServiceNetwork&&) = delete;
  ~ServiceNetwork();

  /// Starts the routers that the clusters' specs ask for, all at once, and returns when every service that can be
  /// reached is: each container that serves one and has a program listens, and every other cluster's router listens for
  /// it.
  void start();

  // Each of these is done as a whole or not at all: InputError (a container that isn't there, a name or port that is
  // taken, a link that stands already) comes before anything is touched, and if a router doesn't come up with what is
  // new, all of them get back what they had. Routers whose config changes are restarted, and break the connections that
  // they carry. All return when their neighbours have found them again and what is offered is reached.

  /// From then on the other clusters' routers offer the container's TCP port on theirs.
  void expose(const Cluster& cluster, const ExposedServiceSpec& service);
  /// Takes back a service of the cluster, from all of its containers. Throws InputError if there is none of that name.
  void unexpose(const Cluster& cluster, const std::string& service);
  /// Lets the router of `from` connect to that of `to`; both get one if they have none.
  void link(const Cluster& from, const Cluster& to, unsigned cost = 1);

  /// As for start(); for a test that has ended and restarted routers by itself.
  void wait_until_ready(std::chrono::milliseconds budget = std::chrono::seconds(20));

  /// Links and services as they are now, after all that came and went; nullptr if the cluster has no router.
  const SkupperSpec* spec(const Cluster& cluster) const;
  /// Throws InputError if the cluster has no router.
  Daemon& router(const Cluster& cluster);
  /// As Cluster::ailments(), of the routers.
  std::vector<std::string> ailments();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
