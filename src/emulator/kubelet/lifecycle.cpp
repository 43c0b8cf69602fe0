#include "lifecycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"

namespace knetsim::kubelet {

namespace {

RestartPolicy restart_policy(const nlohmann::json& spec) {
  const auto& word = kube::text_at(spec, "restartPolicy");
  if (word == "Never") return RestartPolicy::never;
  return word == "OnFailure" ? RestartPolicy::on_failure : RestartPolicy::always;
}

/// "10s", "1m20s", as Go prints a duration.
std::string go_seconds(std::chrono::seconds time) {
  const auto minutes = time.count() / 60;
  return minutes == 0 ? fmt::format("{}s", time.count()) : fmt::format("{}m{}s", minutes, time.count() % 60);
}

}  // namespace

std::chrono::seconds seconds_in(const nlohmann::json& number) {
  constexpr std::int64_t kDay = 86'400;
  return std::chrono::seconds(std::clamp<std::int64_t>(kube::number_in(number), 0, kDay));
}

Lifecycle::Lifecycle(const nlohmann::json& pod)
    : name_(
          fmt::format("{}_{}({})", kube::name_of(pod), kube::namespace_of(pod), kube::text_at(pod, "metadata", "uid"))),
      policy_(restart_policy(kube::member(pod, "spec"))) {
  const auto& spec = kube::member(pod, "spec");
  const auto& first = kube::list_at(spec, "initContainers");
  for (const auto& one : first)
    containers_.push_back({.name = kube::text_at(one, "name"),
                           .image = kube::text_at(one, "image"),
                           .role = kube::text_at(one, "restartPolicy") == "Always" ? Role::sidecar : Role::init,
                           .reason = "PodInitializing"});
  for (const auto& one : kube::list_at(spec, "containers"))
    containers_.push_back({.name = kube::text_at(one, "name"),
                           .image = kube::text_at(one, "image"),
                           .reason = first.empty() ? "ContainerCreating" : "PodInitializing"});
  for (const auto& one : kube::list_at(spec, "ephemeralContainers")) add_ephemeral(one);
}

void Lifecycle::add_ephemeral(const nlohmann::json& container) {
  const auto& name = kube::text_at(container, "name");
  if (std::ranges::find(containers_, name, &ContainerRecord::name) != containers_.end()) return;
  containers_.push_back({.name = name,
                         .image = kube::text_at(container, "image"),
                         .role = Role::ephemeral,
                         .reason = "ContainerCreating"});
}

ContainerRecord& Lifecycle::container(const std::string& name) {
  const auto found =
      std::find_if(containers_.begin(), containers_.end(), [&](const auto& record) { return record.name == name; });
  if (found == containers_.end()) throw InputError(fmt::format("{} has no container \"{}\"", name_, name));
  return *found;
}

bool Lifecycle::restarts(const ContainerRecord& record) const {
  if (!record.ending || record.role == Role::sidecar) return true;
  if (record.role == Role::ephemeral) return false;
  if (record.role == Role::init) return !record.ending->good() && policy_ != RestartPolicy::never;
  if (policy_ == RestartPolicy::always) return true;
  return policy_ == RestartPolicy::on_failure && !record.ending->good();
}

/// It is this one's turn: now, or when its back-off has ended.
void Lifecycle::consider(ContainerRecord& record, Instant now, Steps& steps) const {
  if (record.stage == Stage::running || !restarts(record)) return;
  const auto due = record.back_off.due(record.ended_at);
  if (now >= due) {
    steps.start.push_back(record.name);
    return;
  }
  steps.again = steps.again ? std::min(*steps.again, due) : due;
  if (record.stage == Stage::ended) {
    record.last = std::exchange(record.ending, std::nullopt);
    record.stage = Stage::waiting;
  }
  if (record.refused) {
    const bool image = record.refusal_reason == "ErrImagePull" || record.refusal_reason == "ImagePullBackOff";
    record.reason = image && record.back_off.delay() > BackOff::kFirst ? "ImagePullBackOff" : record.refusal_reason;
    record.message = record.refusal;
  } else {
    record.reason = "CrashLoopBackOff";
    record.message = fmt::format("back-off {} restarting failed container={} pod={}",
                                 go_seconds(record.back_off.delay()), record.name, name_);
  }
}

Steps Lifecycle::next(Instant now) {
  Steps steps;
  if (terminating_) return steps;
  const bool done = std::all_of(containers_.begin(), containers_.end(), [this](const auto& record) {
    return record.role != Role::main || (record.stage == Stage::ended && !restarts(record));
  });
  if (done || phase() == "Failed") {
    for (const auto& record : containers_)
      if ((record.role == Role::sidecar || record.role == Role::ephemeral) && record.stage == Stage::running)
        steps.stop.push_back(record.name);
    return steps;
  }
  bool initialized = true;
  for (auto& record : containers_) {
    if ((record.role == Role::main || record.role == Role::ephemeral) && !initialized) break;
    if (record.role == Role::init) {
      if (record.stage == Stage::ended && record.ending->good()) continue;
      if (!initialized) continue;  // it isn't its turn yet; sidecars that stand before it go on
      consider(record, now, steps);
      initialized = false;
    } else if (record.role == Role::sidecar) {
      // One that has been started is kept running, whatever those before it do.
      if (!initialized && record.runs == 0) continue;
      consider(record, now, steps);
      if (!record.started) initialized = false;
    } else {
      if (record.reason == "PodInitializing") record.reason = "ContainerCreating";
      consider(record, now, steps);
    }
  }
  return steps;
}

void Lifecycle::started(const std::string& name, const std::string& id, bool has_startup, bool has_readiness,
                        Instant now, kube::Time time) {
  auto& record = container(name);
  if (record.ending) record.last = std::exchange(record.ending, std::nullopt);
  if (record.runs > 0) record.back_off.start(now);
  if (record.runs == 0) record.back_off = {};
  ++record.runs;
  record.stage = Stage::running;
  record.reason.clear();
  record.message.clear();
  record.refused = false;
  record.id = id;
  record.started_at = time;
  record.started = !has_startup;
  record.ready = !has_startup && !has_readiness;
}

void Lifecycle::refused(const std::string& name, const std::string& reason, const std::string& message, Instant now) {
  auto& record = container(name);
  if (record.ending) record.last = std::exchange(record.ending, std::nullopt);
  record.stage = Stage::waiting;
  record.back_off.start(now);
  record.ended_at = now;
  record.refused = true;
  record.refusal_reason = record.reason = reason;
  record.refusal = record.message = message;
}

void Lifecycle::ended(const std::string& name, Ending ending, Instant now) {
  auto& record = container(name);
  if (ending.reason.empty()) ending.reason = ending.good() ? "Completed" : "Error";
  ending.started = record.started_at;
  ending.id = record.id;
  record.ending = std::move(ending);
  record.stage = Stage::ended;
  record.started = false;
  record.ready = false;
  record.ended_at = now;
}

void Lifecycle::startup_done(const std::string& name, bool has_readiness) {
  auto& record = container(name);
  if (record.stage != Stage::running) return;
  record.started = true;
  if (!has_readiness) record.ready = true;
}

void Lifecycle::set_ready(const std::string& name, bool ready) {
  auto& record = container(name);
  record.ready = ready && record.stage == Stage::running && record.started;
}

bool Lifecycle::initialized() const {
  return std::all_of(containers_.begin(), containers_.end(), [](const auto& record) {
    if (record.role == Role::init) return record.stage == Stage::ended && record.ending->good();
    return record.role == Role::main || record.role == Role::ephemeral || record.started ||
           record.stage == Stage::ended;
  });
}

// As getPhase() of k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go.
std::string Lifecycle::phase() const {
  int waiting = 0;
  int running = 0;
  bool sidecar_runs = false;
  int stopped = 0;
  int succeeded = 0;
  for (const auto& record : containers_) {
    if (record.role == Role::ephemeral) continue;
    if (record.role == Role::sidecar && record.stage == Stage::running) sidecar_runs = true;
    if (record.role != Role::main) {
      const bool over = record.stage == Stage::ended || record.last.has_value();
      const bool failed = record.role == Role::init && record.stage == Stage::ended && !record.ending->good();
      if (failed && policy_ == RestartPolicy::never) return "Failed";
      if (record.role == Role::init ? record.stage != Stage::ended || failed : !record.started && !over)
        return "Pending";
    } else if (record.stage == Stage::running) {
      ++running;
    } else if (record.stage == Stage::ended) {
      ++stopped;
      if (record.ending->good()) ++succeeded;
    } else if (record.last) {
      ++stopped;
    } else {
      ++waiting;
    }
  }
  if (waiting > 0) return "Pending";
  if (running > 0 || sidecar_runs) return "Running";
  if (terminating_ || policy_ == RestartPolicy::never) return stopped == succeeded ? "Succeeded" : "Failed";
  if (policy_ == RestartPolicy::always) return "Running";
  return stopped == succeeded ? "Succeeded" : "Running";
}

bool Lifecycle::finished() const {
  const auto now = phase();
  return (now == "Succeeded" || now == "Failed") &&
         std::none_of(containers_.begin(), containers_.end(),
                      [](const auto& record) { return record.stage == Stage::running; });
}

}  // namespace knetsim::kubelet
