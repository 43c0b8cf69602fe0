#include "measures.h"

#include <fmt/format.h>

namespace knetsim::kubeproxy {

void Durations::add(double seconds) {
  std::size_t bucket = 0;
  for (double limit = 0.001; bucket + 1 < counts_.size() && seconds > limit; limit *= 2) ++bucket;
  ++counts_[bucket];
  sum_ += seconds;
  ++count_;
}

std::string Durations::text(const std::string& name, const std::string& help) const {
  auto text = fmt::format("# HELP {0} {1}\n# TYPE {0} histogram\n", name, help);
  std::uint64_t up_to = 0;
  double limit = 0.001;
  for (std::size_t i = 0; i + 1 < counts_.size(); ++i, limit *= 2) {
    up_to += counts_[i];
    text += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, limit, up_to);
  }
  text += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, count_, sum_);
  return text;
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string Measures::text() const {
  std::string text;
  const auto histogram = [&](const Durations& durations, const char* name, const char* help) {
    text += durations.text(std::string("kubeproxy_") + name, help);
  };
  const auto one = [&](const char* kind, const std::string& name, const char* help, auto value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, kind, value);
  };
  histogram(syncs, "sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds");
  histogram(full_syncs, "sync_full_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds, full resyncs");
  histogram(partial_syncs, "sync_partial_proxy_rules_duration_seconds",
            "SyncProxyRules latency in seconds, partial resyncs");
  histogram(network_programming, "network_programming_duration_seconds",
            "In cluster network programming latency in seconds");
  histogram(reconciliations, "conntrack_reconciler_sync_duration_seconds", "ReconcileConntrackFlowsLatency in seconds");
  constexpr auto kGauge = "gauge";
  constexpr auto kCounter = "counter";
  const std::string sync = "kubeproxy_sync_proxy_rules_";
  const auto stamp = [](double seconds) { return fmt::format("{:.9f}", seconds); };
  one(kGauge, sync + "last_timestamp_seconds", "The last time proxy rules were successfully synced", stamp(last_sync));
  one(kGauge, sync + "last_queued_timestamp_seconds", "The last time a sync of proxy rules was queued",
      stamp(last_queued));
  one(kGauge, sync + "endpoint_changes_pending", "Pending proxy rules Endpoint changes", endpoint_changes_pending);
  one(kCounter, sync + "endpoint_changes_total", "Cumulative proxy rules Endpoint changes", endpoint_changes);
  one(kGauge, sync + "service_changes_pending", "Pending proxy rules Service changes", service_changes_pending);
  one(kCounter, sync + "service_changes_total", "Cumulative proxy rules Service changes", service_changes);
  one(kCounter, sync + "nftables_sync_failures_total", "Cumulative proxy nftables sync failures", sync_failures);
  one(kCounter, sync + "nftables_cleanup_failures_total", "Cumulative proxy nftables cleanup failures",
      cleanup_failures);
  one(kCounter, "kubeproxy_conntrack_reconciler_deleted_entries_total", "Cumulative conntrack flows deleted",
      flows_deleted);
  const auto labelled = [&](const char* kind, const std::string& name, const char* help, const char* label,
                            std::initializer_list<std::pair<const char*, std::uint64_t>> values) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, kind);
    for (const auto& [value, number] : values) text += fmt::format("{}{{{}=\"{}\"}} {}\n", name, label, value, number);
  };
  labelled(kGauge, sync + "no_local_endpoints_total", "Number of services with a Local traffic policy and no endpoints",
           "traffic_policy", {{"internal", without_local_internal}, {"external", without_local_external}});
  labelled(kCounter, "kubeproxy_proxy_healthz_total", "Cumulative proxy healthz HTTP status", "code",
           {{"200", healthz_good}, {"503", healthz_bad}});
  labelled(kCounter, "kubeproxy_proxy_livez_total", "Cumulative proxy livez HTTP status", "code",
           {{"200", livez_good}, {"503", livez_bad}});
  labelled(kGauge, "knetsim_kube_proxy_acknowledged_revision",
           "The resourceVersion up to which the kernel has acknowledged changes", "resource",
           {{"services", services_revision}, {"endpointslices", slices_revision}});
  return text;
}

}  // namespace knetsim::kubeproxy
