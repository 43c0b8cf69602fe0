#include "pod_status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "images.h"
#include "knetsim/kube/access.h"

namespace knetsim::kubelet {

using nlohmann::json;

namespace {

json ended_state(const Ending& ending) {
  json state{{"exitCode", ending.exit_code},
             {"reason", ending.reason},
             {"startedAt", kube::timestamp(ending.started)},
             {"finishedAt", kube::timestamp(ending.finished)},
             {"containerID", ending.id}};
  if (ending.signal != 0) state["signal"] = ending.signal;
  if (!ending.message.empty()) state["message"] = ending.message;
  return {{"terminated", state}};
}

json state_of(const ContainerRecord& record) {
  if (record.stage == Stage::running) return {{"running", {{"startedAt", kube::timestamp(record.started_at)}}}};
  if (record.stage == Stage::ended) return ended_state(*record.ending);
  json waiting{{"reason", record.reason}};
  if (!record.message.empty()) waiting["message"] = record.message;
  return {{"waiting", waiting}};
}

bool is_ready(const ContainerRecord& record) {
  if (record.role == Role::init) return record.stage == Stage::ended && record.ending->good();
  return record.role != Role::ephemeral && record.ready;
}

json container_status(const ContainerRecord& record) {
  json status{{"name", record.name},
              {"state", state_of(record)},
              {"lastState", record.last ? ended_state(*record.last) : json::object()},
              {"ready", is_ready(record)},
              {"restartCount", record.restarts()},
              {"image", record.image},
              {"imageID", record.runs > 0 ? "knetsim/" + image_name(record.image) : ""},
              {"started", record.started}};
  if (!record.id.empty()) status["containerID"] = record.id;
  return status;
}

const char* list_of(Role role) {
  if (role == Role::ephemeral) return "ephemeralContainerStatuses";
  return role == Role::main ? "containerStatuses" : "initContainerStatuses";
}

struct Condition {
  std::string type;
  bool holds;
  std::string reason = {};
  std::string message = {};
};

json as_json(const Condition& condition, const json& old, kube::Time now) {
  const auto word = condition.holds ? "True" : "False";
  json result{{"type", condition.type},
              {"status", word},
              {"lastProbeTime", nullptr},
              {"lastTransitionTime", kube::timestamp(now)}};
  if (!condition.reason.empty()) result["reason"] = condition.reason;
  if (!condition.message.empty()) result["message"] = condition.message;
  for (const auto& one : old)
    if (kube::text_at(one, "type") == condition.type && kube::text_at(one, "status") == word)
      result["lastTransitionTime"] = kube::member(one, "lastTransitionTime");
  return result;
}

/// Readiness gates: conditions that others set, and that the pod waits for.
std::vector<std::string> shut_gates(const json& pod) {
  std::vector<std::string> shut;
  for (const auto& gate : kube::list_at(pod, "spec", "readinessGates")) {
    const auto& type = kube::text_at(gate, "conditionType");
    const auto& conditions = kube::list_at(pod, "status", "conditions");
    if (std::none_of(conditions.begin(), conditions.end(), [&](const json& one) {
          return kube::text_at(one, "type") == type && kube::text_at(one, "status") == "True";
        }))
      shut.push_back(type);
  }
  return shut;
}

std::vector<Condition> conditions_of(const json& pod, const Lifecycle& lifecycle, const PodPlace& place) {
  std::vector<std::string> unready;
  std::vector<std::string> incomplete;
  for (const auto& record : lifecycle.containers()) {
    const bool sidecar = record.role == Role::sidecar;
    if (record.role == Role::init ? !(record.stage == Stage::ended && record.ending->good())
                                  : sidecar && !record.started)
      incomplete.push_back(record.name);
    if (record.role != Role::init && record.role != Role::ephemeral && !record.ready) unready.push_back(record.name);
  }
  Condition initialized{"Initialized", lifecycle.initialized()};
  Condition containers{"ContainersReady", unready.empty()};
  const bool done = lifecycle.phase() == "Succeeded";
  if (!initialized.holds) {
    initialized.reason = "ContainersNotInitialized";
    initialized.message = fmt::format("containers with incomplete status: [{}]", fmt::join(incomplete, " "));
  } else if (done) {
    initialized.reason = "PodCompleted";
  }
  if (!containers.holds) {
    containers.reason = done ? "PodCompleted" : lifecycle.phase() == "Failed" ? "PodFailed" : "ContainersNotReady";
    if (!done && containers.reason != "PodFailed")
      containers.message = fmt::format("containers with unready status: [{}]", fmt::join(unready, " "));
  }
  auto ready = containers;
  ready.type = "Ready";
  if (const auto shut = shut_gates(pod); ready.holds && !shut.empty())
    ready = {"Ready", false, "ReadinessGatesNotReady",
             fmt::format("the status of pod readiness gate(s) is not \"True\": [{}]", fmt::join(shut, " "))};
  return {
      {"PodReadyToStartContainers", !place.addresses.empty()}, initialized, ready, containers, {"PodScheduled", true}};
}

json listed(const std::vector<Address>& addresses) {
  auto list = json::array();
  for (const auto& address : addresses) list.push_back({{"ip", address.to_string()}});
  return list;
}

}  // namespace

json pod_status(const json& pod, const Lifecycle& lifecycle, const PodPlace& place, kube::Time now) {
  const auto& old = kube::list_at(pod, "status", "conditions");
  json status{{"phase", lifecycle.phase()},
              {"startTime", kube::timestamp(place.since)},
              {"conditions", json::array()},
              {"containerStatuses", json::array()}};
  const auto ours = conditions_of(pod, lifecycle, place);
  for (const auto& condition : ours) status["conditions"].push_back(as_json(condition, old, now));
  for (const auto& one : old)
    if (std::none_of(ours.begin(), ours.end(),
                     [&](const Condition& mine) { return mine.type == kube::text_at(one, "type"); }))
      status["conditions"].push_back(one);
  if (!place.node_addresses.empty()) {
    status["hostIP"] = place.node_addresses.front().to_string();
    status["hostIPs"] = listed(place.node_addresses);
  }
  if (!place.addresses.empty()) {
    status["podIP"] = place.addresses.front().to_string();
    status["podIPs"] = listed(place.addresses);
  }
  for (const auto& record : lifecycle.containers()) status[list_of(record.role)].push_back(container_status(record));
  return status;
}

}  // namespace knetsim::kubelet
