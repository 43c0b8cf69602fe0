#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

namespace knetsim::kubeproxy {

/// Counts durations as Prometheus' histograms do, in the buckets that kube-proxy has: 1 ms, doubled 14 times.
class Durations {
 public:
  void add(double seconds);
  /// `NAME_bucket{le="0.001"} 3` ...
  std::string text(const std::string& name, const std::string& help) const;

 private:
  std::array<std::uint64_t, 16> counts_{};  // the last one: longer
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

/// What /metrics tells, under kube-proxy's names.
struct Measures {
  Durations syncs, full_syncs, partial_syncs, network_programming, reconciliations;
  std::uint64_t service_changes = 0, endpoint_changes = 0;
  std::uint64_t service_changes_pending = 0, endpoint_changes_pending = 0;
  std::uint64_t sync_failures = 0, cleanup_failures = 0, flows_deleted = 0;
  std::uint64_t without_local_internal = 0, without_local_external = 0;
  std::uint64_t healthz_good = 0, healthz_bad = 0, livez_good = 0, livez_bad = 0;
  double last_sync = 0, last_queued = 0;  ///< seconds since 1970
  /// Revisions up to which changes were read, written, and acknowledged by the kernel.
  std::uint64_t services_revision = 0, slices_revision = 0;

  std::string text() const;
};

double seconds_since_1970();

}  // namespace knetsim::kubeproxy
