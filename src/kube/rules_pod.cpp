#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr auto kContainerLists = {"initContainers", "containers"};

/// Without a tag, or with the tag latest, an image may change under its name.
bool is_latest(std::string_view image) {
  if (image.find('@') != std::string_view::npos) return false;
  const auto last = image.substr(image.rfind('/') == std::string_view::npos ? 0 : image.rfind('/') + 1);
  const auto colon = last.find(':');
  return colon == std::string_view::npos || last.substr(colon + 1) == "latest";
}

void fill_in_probe(json& probe) {
  put_default(probe, "timeoutSeconds", 1);
  put_default(probe, "periodSeconds", 10);
  put_default(probe, "successThreshold", 1);
  put_default(probe, "failureThreshold", 3);
  if (const auto get = probe.find("httpGet"); get != probe.end()) {
    put_default(*get, "path", "/");
    put_default(*get, "scheme", "HTTP");
  }
}

void fill_in_container(json& container) {
  put_default(container, "terminationMessagePath", "/dev/termination-log");
  put_default(container, "terminationMessagePolicy", "File");
  put_default(container, "imagePullPolicy", is_latest(text_at(container, "image")) ? "Always" : "IfNotPresent");
  if (const auto ports = container.find("ports"); ports != container.end())
    for (auto& port : *ports) put_default(port, "protocol", "TCP");
  for (const auto* const name : {"livenessProbe", "readinessProbe", "startupProbe"})
    if (const auto probe = container.find(name); probe != container.end()) fill_in_probe(*probe);
  if (const auto variables = container.find("env"); variables != container.end())
    for (auto& variable : *variables)
      if (!member(variable, "valueFrom", "fieldRef").is_null())
        put_default(variable["valueFrom"]["fieldRef"], "apiVersion", "v1");
  auto& resources = container["resources"];
  for (const auto& [name, limit] : member(resources, "limits").items())
    if (member(resources, "requests", name).is_null()) resources["requests"][name] = limit;
}

void tolerate(json& spec, std::string_view taint) {
  for (const auto& each : list_at(spec, "tolerations")) {
    const auto& key = text_at(each, "key");
    const auto& effect = text_at(each, "effect");
    if ((key.empty() || key == taint) && (effect.empty() || effect == "NoExecute")) return;
  }
  spec["tolerations"].push_back(
      {{"key", taint}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
}

/// "BestEffort", "Guaranteed", "Burstable"
std::string_view quality_of_service(const json& spec) {
  bool asks = false;
  bool guaranteed = true;
  for (const auto* const list : kContainerLists) {
    for (const auto& container : list_at(spec, list)) {
      const auto& limits = member(container, "resources", "limits");
      const auto& requests = member(container, "resources", "requests");
      for (const auto* const name : {"cpu", "memory"}) {
        const auto& limit = member(limits, name);
        if (!limit.is_null() || !member(requests, name).is_null()) asks = true;
        if (limit.is_null() || limit != member(requests, name)) guaranteed = false;
      }
    }
  }
  if (!asks) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

void validate_container_ports(const json& container, const std::string& at, FieldErrors& errors) {
  std::set<std::string> names;
  const auto& ports = list_at(container, "ports");
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto place = fmt::format("{}.ports[{}]", at, i);
    if (const auto& name = text_at(ports[i], "name"); !name.empty()) {
      if (const auto problem = port_name_problem(name); !problem.empty()) {
        errors.invalid(place + ".name", name, problem);
      } else if (!names.insert(name).second) {
        errors.duplicate(place + ".name", name);
      }
    }
    const auto port = number_at(ports[i], "containerPort");
    if (port == 0) {
      errors.required(place + ".containerPort");
    } else {
      validate_port_number(port, place + ".containerPort", errors);
    }
    if (const auto host = number_at(ports[i], "hostPort"); host != 0)
      validate_port_number(host, place + ".hostPort", errors);
    validate_choice(member(ports[i], "protocol"), place + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  }
}

void validate_probe(const json& probe, const std::string& at, FieldErrors& errors) {
  if (probe.is_null()) return;
  std::size_t handlers = 0;
  for (const auto* const handler : {"exec", "httpGet", "tcpSocket", "grpc"})
    handlers += probe.contains(handler) ? 1 : 0;
  if (handlers == 0) errors.required(at, "must specify a handler type");
  if (handlers > 1) errors.forbidden(at, "may not specify more than 1 handler type");
  for (const auto* const seconds :
       {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"}) {
    const auto value = number_at(probe, seconds);
    if (value < 0) errors.invalid(fmt::format("{}.{}", at, seconds), value, "must be greater than or equal to 0");
  }
  for (const auto* const handler : {"httpGet", "tcpSocket"}) {
    const auto& port = member(probe, handler, "port");
    const auto place = fmt::format("{}.{}.port", at, handler);
    if (port.is_number()) validate_port_number(number_in(port), place, errors);
    if (port.is_string() && !port_name_problem(text_in(port)).empty())
      errors.invalid(place, port, port_name_problem(text_in(port)));
  }
}

void validate_container(const json& container, const std::string& at, const std::set<std::string>& volumes,
                        FieldErrors& errors) {
  const auto& image = text_at(container, "image");
  if (image.empty()) {
    errors.required(at + ".image");
  } else if (image.front() == ' ' || image.back() == ' ') {
    errors.invalid(at + ".image", image, "must not have leading or trailing whitespace");
  }
  validate_choice(member(container, "imagePullPolicy"), at + ".imagePullPolicy", {"Always", "IfNotPresent", "Never"},
                  errors);
  validate_container_ports(container, at, errors);
  const auto& variables = list_at(container, "env");
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const auto place = fmt::format("{}.env[{}]", at, i);
    const auto& name = text_at(variables[i], "name");
    if (name.empty()) errors.required(place + ".name");
    if (name.find('=') != std::string::npos) {
      errors.invalid(
          place + ".name", name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='");
    }
    if (!text_at(variables[i], "value").empty() && variables[i].contains("valueFrom")) {
      errors.invalid(place + ".valueFrom", "", "may not be specified when `value` is not empty");
    }
  }
  validate_volume_mounts(container, at, volumes, errors);
  for (const auto* const probe : {"livenessProbe", "readinessProbe", "startupProbe"})
    validate_probe(member(container, probe), fmt::format("{}.{}", at, probe), errors);
}

void validate_containers(const json& spec, const std::string& at, const std::set<std::string>& volumes,
                         FieldErrors& errors) {
  std::set<std::string> names;
  if (list_at(spec, "containers").empty()) errors.required(at + ".containers");
  for (const auto* const list : {"containers", "initContainers", "ephemeralContainers"}) {
    const auto& containers = list_at(spec, list);
    for (std::size_t i = 0; i < containers.size(); ++i) {
      const auto place = fmt::format("{}.{}[{}]", at, list, i);
      validate_own_name(containers[i], place, names, errors);
      validate_container(containers[i], place, volumes, errors);
    }
  }
}

}  // namespace

void fill_in_pod_spec(json& spec) {
  for (const auto* const list : kContainerLists)
    if (const auto containers = spec.find(list); containers != spec.end())
      for (auto& container : *containers) fill_in_container(container);
  if (const auto containers = spec.find("ephemeralContainers"); containers != spec.end())
    for (auto& container : *containers) fill_in_container(container);
  if (const auto volumes = spec.find("volumes"); volumes != spec.end())
    for (auto& volume : *volumes) fill_in_volume(volume);
  put_default(spec, "restartPolicy", "Always");
  put_default(spec, "terminationGracePeriodSeconds", 30);
  put_default(spec, "dnsPolicy", "ClusterFirst");
  put_default(spec, "securityContext", json::object());
  put_default(spec, "schedulerName", "default-scheduler");
  if (bool_at(spec, "hostNetwork")) {
    for (auto& container : spec["containers"])
      if (container.contains("ports"))
        for (auto& port : container["ports"])
          if (number_at(port, "hostPort") == 0) port["hostPort"] = port["containerPort"];
  }
  const auto& account = text_at(spec, "serviceAccountName");
  if (!account.empty()) {
    spec["serviceAccount"] = account;
  } else if (!text_at(spec, "serviceAccount").empty()) {
    spec["serviceAccountName"] = spec["serviceAccount"];
  }
}

void fill_in_pod(json& object) {
  auto& spec = object["spec"];
  fill_in_pod_spec(spec);
  put_default(spec, "enableServiceLinks", true);
  // Either of podIP and podIPs stands for both.
  const auto& address = text_at(object, "status", "podIP");
  const auto& all = list_at(object, "status", "podIPs");
  if (!address.empty() && all.empty()) {
    object["status"]["podIPs"] = json::array({{{"ip", address}}});
  } else if (address.empty() && !all.empty()) {
    object["status"]["podIP"] = member(all[0], "ip");
  }
}

/// What a cluster's admission adds to every new pod.
void begin_pod(json& object) {
  auto& spec = object["spec"];
  tolerate(spec, "node.kubernetes.io/not-ready");
  tolerate(spec, "node.kubernetes.io/unreachable");
  put_default(spec, "priority", 0);
  put_default(spec, "preemptionPolicy", "PreemptLowerPriority");
  object["status"] = {{"phase", "Pending"}, {"qosClass", quality_of_service(spec)}};
}

void validate_pod_spec(const json& spec, const std::string& at, FieldErrors& errors) {
  const auto volumes = validate_volumes(spec, at, errors);
  validate_containers(spec, at, volumes, errors);
  validate_choice(member(spec, "restartPolicy"), at + ".restartPolicy", {"Always", "Never", "OnFailure"}, errors);
  validate_choice(member(spec, "dnsPolicy"), at + ".dnsPolicy",
                  {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}, errors);
  validate_labels(member(spec, "nodeSelector"), at + ".nodeSelector", errors);
  if (const auto seconds = number_at(spec, "terminationGracePeriodSeconds"); seconds < 0) {
    errors.invalid(at + ".terminationGracePeriodSeconds", seconds, "must be greater than or equal to 0");
  }
  for (const auto* const key : {"hostname", "subdomain"}) {
    const auto& name = text_at(spec, key);
    if (name.empty()) continue;
    const auto problem = dns1123_label_problem(name);
    if (!problem.empty()) errors.invalid(fmt::format("{}.{}", at, key), name, problem);
  }
  if (const auto& node = text_at(spec, "nodeName"); !node.empty()) {
    const auto problem = dns1123_subdomain_problem(node);
    if (!problem.empty()) errors.invalid(at + ".nodeName", node, problem);
  }
  const auto& aliases = list_at(spec, "hostAliases");
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    validate_address(member(aliases[i], "ip"), fmt::format("{}.hostAliases[{}].ip", at, i), errors);
  }
}

void validate_pod(const json& object, FieldErrors& errors) {
  validate_pod_spec(member(object, "spec"), "spec", errors);
  const auto& addresses = list_at(object, "status", "podIPs");
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    validate_address(member(addresses[i], "ip"), fmt::format("status.podIPs[{}].ip", i), errors);
  }
}

/// A client that leaves out what the server has put in doesn't mean to change it.
void carry_over_pod(json& object, const json& old) {
  auto& spec = object["spec"];
  for (const auto* const key : {"priority", "preemptionPolicy", "tolerations", "ephemeralContainers", "nodeName",
                                "serviceAccountName", "serviceAccount"})
    if (!spec.contains(key) && member(old, "spec").contains(key)) spec[key] = old["spec"][key];
}

void validate_pod_change(const json& object, const json& old, FieldErrors& errors) {
  auto spec = member(object, "spec");
  const auto& before = member(old, "spec");
  const auto& tolerations = list_at(spec, "tolerations");
  for (const auto& each : list_at(before, "tolerations")) {
    if (std::ranges::find(tolerations, each) == tolerations.end()) {
      errors.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds");
      break;
    }
  }
  // Those that may change are made equal; then nothing may differ.
  for (const auto* const list : kContainerLists) {
    if (!spec.contains(list)) continue;
    auto& containers = spec[list];
    const auto& those_before = list_at(before, list);
    for (std::size_t i = 0; i < containers.size() && i < those_before.size(); ++i)
      containers[i]["image"] = those_before[i]["image"];
  }
  for (const auto* const key : {"activeDeadlineSeconds", "tolerations", "schedulingGates"}) {
    spec.erase(key);
    if (before.contains(key)) spec[key] = before[key];
  }
  if (spec != before) {
    errors.forbidden(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
        "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
        "previously negative)");
  }
}

void validate_ephemeral_containers(const json& object, const json& old, FieldErrors& errors) {
  const std::string at = "spec.ephemeralContainers";
  const auto& containers = list_at(object, "spec", "ephemeralContainers");
  const auto named = [](const json& list, const std::string& name) {
    return std::ranges::find_if(list, [&](const json& one) { return text_at(one, "name") == name; });
  };
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const auto place = fmt::format("{}[{}]", at, i);
    const auto& target = text_at(containers[i], "targetContainerName");
    const auto& others = list_at(object, "spec", "containers");
    const auto& first = list_at(object, "spec", "initContainers");
    if (!target.empty() && named(others, target) == others.end() && named(first, target) == first.end())
      errors.not_found(place + ".targetContainerName", target);
    for (const auto* const key :
         {"ports", "resources", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy"}) {
      const auto& value = member(containers[i], key);
      if (!value.is_null() && !value.empty())
        errors.forbidden(fmt::format("{}.{}", place, key), "cannot be set for an Ephemeral Container");
    }
    const auto& mounts = list_at(containers[i], "volumeMounts");
    for (std::size_t j = 0; j < mounts.size(); ++j)
      for (const auto* const key : {"subPath", "subPathExpr"})
        if (!text_at(mounts[j], key).empty())
          errors.forbidden(fmt::format("{}.volumeMounts[{}].{}", place, j, key),
                           "cannot be set for an Ephemeral Container");
  }
  for (const auto& before : list_at(old, "spec", "ephemeralContainers")) {
    const auto now = named(containers, text_at(before, "name"));
    if (now == containers.end())
      errors.forbidden(
          at, fmt::format("existing ephemeral containers \"{}\" may not be removed\n", text_at(before, "name")));
    else if (*now != before)
      errors.forbidden(at,
                       fmt::format("existing ephemeral containers \"{}\" may not be changed", text_at(before, "name")));
  }
}

}  // namespace knetsim::kube
