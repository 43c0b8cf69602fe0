// The probes of a pod's containers.
#include <fmt/format.h>

#include <utility>

#include "knetsim/kube/access.h"
#include "pod_run.h"

namespace knetsim::kubelet {

using boost::system::error_code;
using nlohmann::json;

void PodWorker::begin_probes(Run& run) {
  if (spec_of(run.name).contains("startupProbe")) {
    begin_probe(run, ProbeKind::startup);
    return;
  }
  begin_probe(run, ProbeKind::liveness);
  begin_probe(run, ProbeKind::readiness);
}

void PodWorker::begin_probe(Run& run, ProbeKind kind) {
  const char* const member = kind == ProbeKind::startup    ? "startupProbe"
                             : kind == ProbeKind::liveness ? "livenessProbe"
                                                           : "readinessProbe";
  const auto& probe = kube::member(spec_of(run.name), member);
  if (probe.is_null()) return;
  auto& loop = *(run.probes[kind] = std::make_unique<ProbeLoop>(around_.context, kind, probe));
  look_later(run.name, loop);
}

void PodWorker::look_later(const std::string& name, ProbeLoop& loop) {
  loop.clock.expires_at(loop.state.next());
  loop.clock.async_wait([weak = weak_from_this(), name, kind = loop.kind](error_code error) {
    if (const auto self = weak.lock(); self && !error) self->look(name, kind);
  });
}

void PodWorker::look(const std::string& name, ProbeKind kind) {
  // The clock may have rung before the end of what it was for, and be heard after that.
  const auto found = runs_.find(name);
  if (found == runs_.end() || !found->second->probes.contains(kind)) return;
  auto& loop = *found->second->probes.at(kind);
  if (loop.run && !loop.looked) return;
  loop.looked = false;
  auto place = handler_place(name, *found->second);
  place.output = directory_ / name / fmt::format("{}.log", loop.name());
  loop.run = std::make_unique<HandlerRun>(
      around_.context, loop.probe, place, loop.rules.timeout,
      [this, name, &loop](const std::optional<std::string>& failure) { looked(name, loop, failure); });
}

void PodWorker::looked(const std::string& name, ProbeLoop& loop, const std::optional<std::string>& failure) {
  auto& run = *runs_.at(name);
  loop.looked = true;
  const auto before = loop.state.failures();
  const bool changed = loop.state.record(!failure, steady_now());
  if (failure && loop.state.failures() != before)
    events_.tell(pod_, true, "Unhealthy", fmt::format("{} probe failed: {}", loop.name(), *failure), name);
  if (loop.state.failed()) {
    const std::string kind = loop.kind == ProbeKind::startup ? "startup" : "liveness";
    stop(name, fmt::format("Container {} failed {} probe, will be restarted", name, kind), grace());
    return;
  }
  if (changed) turn_soon();
  if (changed && loop.kind == ProbeKind::startup) {
    const auto done = std::move(run.probes.at(ProbeKind::startup));
    run.probes.clear();
    life_.startup_done(name, spec_of(name).contains("readinessProbe"));
    begin_probe(run, ProbeKind::liveness);
    begin_probe(run, ProbeKind::readiness);
    return;
  }
  if (changed && loop.kind == ProbeKind::readiness) life_.set_ready(name, loop.state.holds());
  look_later(name, loop);
}

}  // namespace knetsim::kubelet
