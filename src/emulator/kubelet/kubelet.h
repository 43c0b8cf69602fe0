#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace knetsim {

class Cluster;

namespace kubelet {
class PodRegistry;
}  // namespace kubelet

/// The kubelets of a cluster's workers, as one: what is bound to them runs as containers of the emulation, and the API
/// is told how it is. The containers that the cluster has made by itself are Pods too: it ends them when somebody
/// deletes those. Has a thread of its own, which the destructor ends.
class Kubelet {
 public:
  /// Begins at once, and tells `registry` of what runs; the API server answers on 127.0.0.1:`port` of the calling
  /// thread's network. What it can't tell the API is written to `log`. The cluster and the registry must outlive it.
  Kubelet(Cluster& cluster, std::uint16_t port, kubelet::PodRegistry& registry, std::filesystem::path log);
  Kubelet(Kubelet&&) = delete;
  ~Kubelet();

  /// Takes the Pod that this container stands for out of the API, and returns when both are gone. Throws InputError if
  /// it stands for none, StillMissing if that takes longer than 20 s.
  void remove(const std::string& container);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
