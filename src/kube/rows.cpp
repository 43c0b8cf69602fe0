#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <set>
#include <string>

#include "knetsim/kube/access.h"
#include "knetsim/kube/selector.h"
#include "rules.h"

// The cells of Tables, as k8s.io/kubernetes/pkg/printers/internalversion makes them.
namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr auto kNone = "<none>";
constexpr auto kUnknown = "<unknown>";
constexpr std::size_t kMostListed = 3;

std::string or_none(std::string text) { return text.empty() ? kNone : std::move(text); }
std::string or_unknown(std::string text) { return text.empty() ? kUnknown : std::move(text); }

std::string age_of(const json& object, Time now) { return age(text_at(object, "metadata", "creationTimestamp"), now); }

/// "a=b,c=d"
std::string map_text(const json& map) {
  std::string text;
  if (map.is_object())
    for (const auto& [key, value] : map.items())
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, text_in(value));
  return text;
}

void append(std::string& list, std::string_view part) {
  if (!list.empty()) list += ',';
  list += part;
}

/// The first few, and how many more there are.
std::string few(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < kMostListed; ++i) append(text, all[i]);
  if (all.size() > kMostListed) text += fmt::format(" + {} more...", all.size() - kMostListed);
  return text;
}

std::string names_of(const json& containers, const char* key) {
  std::string text;
  for (const auto& container : containers) append(text, text_at(container, key));
  return text;
}

void append_template(Cells& cells, const json& object) {
  const auto& containers = list_at(object, "spec", "template", "spec", "containers");
  cells.emplace_back(names_of(containers, "name"));
  cells.emplace_back(names_of(containers, "image"));
}

std::string load_balancer_addresses(const json& ingress) {
  std::string text;
  std::set<std::string> seen;
  for (const auto& place : ingress) {
    const auto& address = text_at(place, "ip").empty() ? text_at(place, "hostname") : text_at(place, "ip");
    if (!address.empty() && seen.insert(address).second) append(text, address);
  }
  return text;
}

std::string external_addresses(const json& service) {
  const auto& type = text_at(service, "spec", "type");
  std::string text;
  if (type == "LoadBalancer") text = load_balancer_addresses(list_at(service, "status", "loadBalancer", "ingress"));
  if (type == "ExternalName") return or_none(text_at(service, "spec", "externalName"));
  const bool pending = type == "LoadBalancer" && text.empty();
  for (const auto& address : list_at(service, "spec", "externalIPs")) append(text, text_in(address));
  return text.empty() ? (pending ? "<pending>" : kNone) : text;
}

std::string service_ports(const json& service) {
  std::string text;
  for (const auto& port : list_at(service, "spec", "ports")) {
    const auto node_port = number_at(port, "nodePort");
    append(text, node_port != 0 ? fmt::format("{}:{}/{}", number_at(port, "port"), node_port, text_at(port, "protocol"))
                                : fmt::format("{}/{}", number_at(port, "port"), text_at(port, "protocol")));
  }
  return or_none(text);
}

const json* condition(const json& object, std::string_view type) {
  for (const auto& each : list_at(object, "status", "conditions"))
    if (text_at(each, "type") == type) return &each;
  return nullptr;
}

std::string node_status(const json& node) {
  const auto* const ready = condition(node, "Ready");
  std::string text = ready == nullptr ? "Unknown" : text_at(*ready, "status") == "True" ? "Ready" : "NotReady";
  return bool_at(node, "spec", "unschedulable") ? text + ",SchedulingDisabled" : text;
}

std::string node_roles(const json& node) {
  constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  if (const auto& labels = member(node, "metadata", "labels"); labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (key.starts_with(prefix) && key.size() > prefix.size()) roles.insert(key.substr(prefix.size()));
      if (key == "kubernetes.io/role" && !text_in(value).empty()) roles.insert(text_in(value));
    }
  }
  std::string text;
  for (const auto& role : roles) append(text, role);
  return or_none(text);
}

std::string node_address(const json& node, std::string_view type) {
  for (const auto& address : list_at(node, "status", "addresses"))
    if (text_at(address, "type") == type) return text_at(address, "address");
  return kNone;
}

/// "Error", "ExitCode:3", "Signal:9"
std::string end_of(const json& terminated) {
  if (!text_at(terminated, "reason").empty()) return text_at(terminated, "reason");
  if (const auto signal = number_at(terminated, "signal"); signal != 0) return fmt::format("Signal:{}", signal);
  return fmt::format("ExitCode:{}", number_at(terminated, "exitCode"));
}

/// What stands under STATUS and RESTARTS.
struct PodState {
  std::string reason;
  std::size_t ready = 0;
  std::size_t containers = 0;  ///< that are to be ready
  std::int64_t restarts = 0;
  std::string last_restart;
};

/// Restarts, and when the last was.
void count_restarts(const json& status, PodState& state) {
  state.restarts += number_at(status, "restartCount");
  const auto& finished = text_at(status, "lastState", "terminated", "finishedAt");
  state.last_restart = std::max(state.last_restart, finished);
}

/// Init containers that run beside the others.
std::set<std::string> sidecars_of(const json& pod) {
  std::set<std::string> names;
  for (const auto& container : list_at(pod, "spec", "initContainers"))
    if (text_at(container, "restartPolicy") == "Always") names.insert(text_at(container, "name"));
  return names;
}

/// Whether init containers are what the pod is at.
bool look_at_init_containers(const json& pod, const std::set<std::string>& sidecars, PodState& state) {
  const auto& statuses = list_at(pod, "status", "initContainerStatuses");
  const auto total = list_at(pod, "spec", "initContainers").size();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    count_restarts(statuses[i], state);
    const auto& terminated = member(statuses[i], "state", "terminated");
    if (terminated.is_object() && number_at(terminated, "exitCode") == 0) continue;
    if (sidecars.contains(text_at(statuses[i], "name")) && bool_at(statuses[i], "started")) {
      if (bool_at(statuses[i], "ready")) ++state.ready;
      continue;
    }
    const auto& waiting = text_at(statuses[i], "state", "waiting", "reason");
    if (terminated.is_object()) {
      state.reason = "Init:" + end_of(terminated);
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      state.reason = "Init:" + waiting;
    } else {
      state.reason = fmt::format("Init:{}/{}", i, total);
    }
    return true;
  }
  return false;
}

void look_at_containers(const json& pod, PodState& state) {
  const auto& statuses = list_at(pod, "status", "containerStatuses");
  bool running = false;
  for (std::size_t i = statuses.size(); i-- > 0;) {
    const auto& status = statuses[i];
    count_restarts(status, state);
    const auto& waiting = text_at(status, "state", "waiting", "reason");
    const auto& terminated = member(status, "state", "terminated");
    if (!waiting.empty()) {
      state.reason = waiting;
    } else if (terminated.is_object()) {
      state.reason = end_of(terminated);
    } else if (bool_at(status, "ready") && member(status, "state", "running").is_object()) {
      running = true;
      ++state.ready;
    }
  }
  if (state.reason == "Completed" && running) {
    const auto* const ready = condition(pod, "Ready");
    state.reason = ready != nullptr && text_at(*ready, "status") == "True" ? "Running" : "NotReady";
  }
}

PodState state_of(const json& pod) {
  PodState state;
  state.reason = text_at(pod, "status", "phase");
  if (const auto& reason = text_at(pod, "status", "reason"); !reason.empty()) state.reason = reason;
  if (const auto* const scheduled = condition(pod, "PodScheduled");
      scheduled != nullptr && text_at(*scheduled, "reason") == "SchedulingGated") {
    state.reason = "SchedulingGated";
  }
  const auto sidecars = sidecars_of(pod);
  state.containers = list_at(pod, "spec", "containers").size() + sidecars.size();
  const bool initializing = look_at_init_containers(pod, sidecars, state);
  const auto* const initialized = condition(pod, "Initialized");
  if (!initializing || (initialized != nullptr && text_at(*initialized, "status") == "True")) {
    // From now on those of the init containers that have ended count no more.
    state.restarts = 0;
    state.last_restart.clear();
    for (const auto& status : list_at(pod, "status", "initContainerStatuses"))
      if (sidecars.contains(text_at(status, "name"))) count_restarts(status, state);
    look_at_containers(pod, state);
  }
  if (member(pod, "metadata", "deletionTimestamp").is_string()) {
    const auto& phase = text_at(pod, "status", "phase");
    if (text_at(pod, "status", "reason") == "NodeLost") {
      state.reason = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      state.reason = "Terminating";
    }
  }
  return state;
}

std::string readiness_gates(const json& pod) {
  const auto& gates = list_at(pod, "spec", "readinessGates");
  if (gates.empty()) return kNone;
  std::size_t good = 0;
  for (const auto& gate : gates) {
    const auto* const found = condition(pod, text_at(gate, "conditionType"));
    if (found != nullptr && text_at(*found, "status") == "True") ++good;
  }
  return fmt::format("{}/{}", good, gates.size());
}

std::string subset_addresses(const json& endpoints) {
  std::vector<std::string> all;
  for (const auto& subset : list_at(endpoints, "subsets")) {
    const auto& ports = list_at(subset, "ports");
    for (const auto& address : list_at(subset, "addresses")) {
      const auto& ip = text_at(address, "ip");
      const bool v6 = ip.find(':') != std::string::npos;
      if (ports.empty()) all.push_back(ip);
      for (const auto& port : ports)
        all.push_back(v6 ? fmt::format("[{}]:{}", ip, number_at(port, "port"))
                         : fmt::format("{}:{}", ip, number_at(port, "port")));
    }
  }
  return or_none(few(all));
}

std::int64_t size_of(const json& map) { return map.is_object() ? static_cast<std::int64_t>(map.size()) : 0; }

}  // namespace

Cells namespace_row(const json& object, Time now) {
  return {name_of(object), text_at(object, "status", "phase"), age_of(object, now)};
}

Cells node_row(const json& object, Time now) {
  const auto& info = member(object, "status", "nodeInfo");
  return {name_of(object),
          node_status(object),
          node_roles(object),
          age_of(object, now),
          text_at(info, "kubeletVersion"),
          node_address(object, "InternalIP"),
          node_address(object, "ExternalIP"),
          or_unknown(text_at(info, "osImage")),
          or_unknown(text_at(info, "kernelVersion")),
          or_unknown(text_at(info, "containerRuntimeVersion"))};
}

Cells pod_row(const json& object, Time now) {
  const auto state = state_of(object);
  auto restarts = std::to_string(state.restarts);
  if (state.restarts > 0 && !state.last_restart.empty())
    restarts += fmt::format(" ({} ago)", age(state.last_restart, now));
  std::string address = text_at(object, "status", "podIP");
  if (const auto& addresses = list_at(object, "status", "podIPs"); !addresses.empty())
    address = text_at(addresses[0], "ip");
  return {name_of(object),
          fmt::format("{}/{}", state.ready, state.containers),
          state.reason,
          restarts,
          age_of(object, now),
          or_none(address),
          or_none(text_at(object, "spec", "nodeName")),
          or_none(text_at(object, "status", "nominatedNodeName")),
          readiness_gates(object)};
}

Cells service_row(const json& object, Time now) {
  const auto& spec = member(object, "spec");
  return {name_of(object),
          text_at(spec, "type"),
          or_none(text_at(spec, "clusterIP")),
          external_addresses(object),
          service_ports(object),
          age_of(object, now),
          or_none(map_text(member(spec, "selector")))};
}

Cells endpoints_row(const json& object, Time now) {
  return {name_of(object), subset_addresses(object), age_of(object, now)};
}

Cells config_map_row(const json& object, Time now) {
  return {name_of(object), size_of(member(object, "data")) + size_of(member(object, "binaryData")),
          age_of(object, now)};
}

Cells secret_row(const json& object, Time now) {
  return {name_of(object), text_at(object, "type"), size_of(member(object, "data")), age_of(object, now)};
}

Cells service_account_row(const json& object, Time now) {
  return {name_of(object), list_at(object, "secrets").size(), age_of(object, now)};
}

Cells event_row(const json& object, Time now) {
  const auto first_of = [&](const char* old_key) {
    const auto& old_time = text_at(object, old_key);
    return old_time.empty() ? text_at(object, "eventTime") : old_time;
  };
  const auto first = age(first_of("firstTimestamp"), now);
  auto last = age(first_of("lastTimestamp"), now);
  auto count = std::max<std::int64_t>(number_at(object, "count"), 1);
  if (const auto& series = member(object, "series"); series.is_object()) {
    last = age(text_at(series, "lastObservedTime"), now);
    count = number_at(series, "count");
  } else if (count > 1) {
    last = fmt::format("{} (x{} over {})", last, count, first);
  }
  const auto& involved = member(object, "involvedObject");
  auto kind = text_at(involved, "kind");
  std::ranges::transform(kind, kind.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  auto source = text_at(object, "source", "component");
  if (source.empty()) source = text_at(object, "reportingComponent");
  if (const auto& host = text_at(object, "source", "host"); !host.empty()) source += fmt::format(", {}", host);
  auto message = text_at(object, "message");
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  return {last,
          text_at(object, "type"),
          text_at(object, "reason"),
          fmt::format("{}/{}", kind, text_at(involved, "name")),
          text_at(involved, "fieldPath"),
          source,
          message,
          first,
          count,
          name_of(object)};
}

Cells lease_row(const json& object, Time now) {
  return {name_of(object), text_at(object, "spec", "holderIdentity"), age_of(object, now)};
}

Cells deployment_row(const json& object, Time now) {
  const auto& status = member(object, "status");
  Cells cells{name_of(object),
              fmt::format("{}/{}", number_at(status, "readyReplicas"), number_at(object, "spec", "replicas")),
              number_at(status, "updatedReplicas"), number_at(status, "availableReplicas"), age_of(object, now)};
  append_template(cells, object);
  cells.emplace_back(or_none(selector_text(member(object, "spec", "selector"))));
  return cells;
}

Cells replica_set_row(const json& object, Time now) {
  const auto& status = member(object, "status");
  Cells cells{name_of(object), number_at(object, "spec", "replicas"), number_at(status, "replicas"),
              number_at(status, "readyReplicas"), age_of(object, now)};
  append_template(cells, object);
  cells.emplace_back(or_none(selector_text(member(object, "spec", "selector"))));
  return cells;
}

Cells daemon_set_row(const json& object, Time now) {
  const auto& status = member(object, "status");
  Cells cells{name_of(object),
              number_at(status, "desiredNumberScheduled"),
              number_at(status, "currentNumberScheduled"),
              number_at(status, "numberReady"),
              number_at(status, "updatedNumberScheduled"),
              number_at(status, "numberAvailable"),
              or_none(map_text(member(object, "spec", "template", "spec", "nodeSelector"))),
              age_of(object, now)};
  append_template(cells, object);
  cells.emplace_back(or_none(selector_text(member(object, "spec", "selector"))));
  return cells;
}

Cells controller_revision_row(const json& object, Time now) {
  std::string owner = "<none>";
  for (const auto& each : list_at(object, "metadata", "ownerReferences")) {
    if (!bool_at(each, "controller")) continue;
    const auto& version = text_at(each, "apiVersion");
    const auto group = version.substr(0, version.find('/') == std::string::npos ? 0 : version.find('/'));
    owner = boost::algorithm::to_lower_copy(text_at(each, "kind")) + (group.empty() ? "" : ".") + group + "/" +
            text_at(each, "name");
  }
  return {name_of(object), std::move(owner), number_at(object, "revision"), age_of(object, now)};
}

Cells stateful_set_row(const json& object, Time now) {
  Cells cells{name_of(object),
              fmt::format("{}/{}", number_at(object, "status", "readyReplicas"), number_at(object, "spec", "replicas")),
              age_of(object, now)};
  append_template(cells, object);
  return cells;
}

namespace {

std::string job_status(const json& job) {
  const auto is = [&](std::string_view type) {
    for (const auto& condition : list_at(job, "status", "conditions"))
      if (text_at(condition, "type") == type && text_at(condition, "status") == "True") return true;
    return false;
  };
  if (is("Complete")) return "Complete";
  if (is("Failed")) return "Failed";
  if (!text_at(job, "metadata", "deletionTimestamp").empty()) return "Terminating";
  if (is("Suspended")) return "Suspended";
  if (is("FailureTarget")) return "FailureTarget";
  return is("SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

std::string job_completions(const json& job) {
  const auto done = number_at(job, "status", "succeeded");
  if (const auto& wanted = member(job, "spec", "completions"); wanted.is_number())
    return fmt::format("{}/{}", done, number_in(wanted));
  const auto parallelism = number_at(job, "spec", "parallelism");
  return parallelism > 1 ? fmt::format("{}/1 of {}", done, parallelism) : fmt::format("{}/1", done);
}

std::string job_duration(const json& job, Time now) {
  const auto start = parse_timestamp(text_at(job, "status", "startTime"));
  if (!start) return {};
  return human_duration(parse_timestamp(text_at(job, "status", "completionTime")).value_or(now) - *start);
}

}  // namespace

Cells job_row(const json& object, Time now) {
  Cells cells{name_of(object), job_status(object), job_completions(object), job_duration(object, now),
              age_of(object, now)};
  append_template(cells, object);
  cells.emplace_back(or_none(selector_text(member(object, "spec", "selector"))));
  return cells;
}

Cells endpoint_slice_row(const json& object, Time now) {
  std::vector<std::string> ports;
  for (const auto& port : list_at(object, "ports")) {
    const auto& number = member(port, "port");
    ports.push_back(number.is_number() ? std::to_string(number_in(number)) : "*");
  }
  std::vector<std::string> addresses;
  for (const auto& endpoint : list_at(object, "endpoints"))
    for (const auto& address : list_at(endpoint, "addresses")) addresses.push_back(text_in(address));
  return {name_of(object), text_at(object, "addressType"), ports.empty() ? "<unset>" : few(ports),
          addresses.empty() ? "<unset>" : few(addresses), age_of(object, now)};
}

Cells network_policy_row(const json& object, Time now) {
  return {name_of(object), or_none(selector_text(member(object, "spec", "podSelector"))), age_of(object, now)};
}

Cells ingress_row(const json& object, Time now) {
  const auto& spec = member(object, "spec");
  std::vector<std::string> hosts;
  for (const auto& rule : list_at(spec, "rules"))
    if (const auto& host = text_at(rule, "host"); !host.empty()) hosts.push_back(host);
  return {name_of(object),
          or_none(text_at(spec, "ingressClassName")),
          hosts.empty() ? "*" : few(hosts),
          load_balancer_addresses(list_at(object, "status", "loadBalancer", "ingress")),
          list_at(spec, "tls").empty() ? "80" : "80, 443",
          age_of(object, now)};
}

Cells ingress_class_row(const json& object, Time now) {
  const auto& parameters = member(object, "spec", "parameters");
  std::string shown = kNone;
  if (parameters.is_object()) {
    shown = text_at(parameters, "kind");
    if (const auto& group = text_at(parameters, "apiGroup"); !group.empty()) shown += "." + group;
    shown += "/" + text_at(parameters, "name");
  }
  return {name_of(object), text_at(object, "spec", "controller"), shown, age_of(object, now)};
}

}  // namespace knetsim::kube
