#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "knetsim/emulator/topology.h"
#include "knetsim/emulator/worker.h"
#include "knetsim/kubeproxy/vip.h"
#include "knetsim/netlink/route.h"

namespace knetsim {

/// A cluster's virtual addresses: which containers stand behind each. All workers translate them alike: each change is
/// made by all or, with an Error, by none. Threads may use it side by side.
class VipBook {
 public:
  /// The workers must outlive it.
  VipBook(std::string cluster, std::vector<Network> ranges, std::vector<Worker*> workers);

  /// Writes the routes, and those that the topology has; their containers are there.
  void start(const std::vector<VipSpec>& vips);

  /// Makes every worker translate it to these containers in turn; a VIP that is there already is replaced and starts
  /// with its first container. A container that is deleted later keeps its turn, as in the original. UDP and ping flows
  /// go on with those that serve now, and established TCP ones with those that they have; see Proxy::apply. Throws
  /// InputError if the VIP is no address or lies outside the cluster's ranges of services, or if a container isn't
  /// there or can't serve it.
  void add(const std::string& vip, const std::vector<std::string>& containers);
  /// Throws InputError if the VIP isn't there.
  void remove(const std::string& vip);
  /// After containers have come or gone.
  void reconcile();

  std::vector<kubeproxy::Vip> services() const;

  /// To the ranges, without an interface: a packet of the worker's own reaches the OUTPUT hook only if it has a route
  /// before it is translated.
  std::vector<netlink::Route> routes() const;

 private:
  kubeproxy::Vip service(const VipSpec& vip);
  void apply(std::vector<kubeproxy::Vip> services);
  void put_back(Worker& worker) const;

  std::string cluster_;
  std::vector<Network> ranges_;
  std::vector<Worker*> workers_;
  mutable std::mutex mutex_;  // guards what follows, and that all workers have the same
  std::vector<kubeproxy::Vip> services_;
  unsigned revision_ = 0;  // of the service added last: one that is added again starts anew
};

}  // namespace knetsim
