#pragma once

#include <mutex>

#include "pod_runtime.h"

namespace knetsim {

class Cluster;
class Container;

/// The containers of a topology: one in each pod, both called as the container is. One that has a command runs it, its
/// log is <worker's directory>/<name>.log; one that has none only waits.
class ContainerRuntime : public PodRuntime {
 public:
  /// `objects` guards the cluster's containers. Both must outlive it.
  ContainerRuntime(Cluster& cluster, std::mutex& objects) : cluster_(&cluster), objects_(&objects) {}

  PodProgram start(const PodContainer& where, std::vector<std::string> argv, Streams wanted) override;
  PodAttachment attach(const PodContainer& where) override;
  Fd socket_in(const PodContainer& pod) override;
  PodLog log(const PodContainer& where, bool previous) override;

 private:
  /// With objects_ locked.
  Container& find(const PodContainer& where);

  Cluster* cluster_;
  std::mutex* objects_;
};

}  // namespace knetsim
