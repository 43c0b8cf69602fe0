#include "kube_objects.h"

#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>
#include <boost/algorithm/string/replace.hpp>

#include "knetsim/kube/time.h"

namespace knetsim {

using Json = nlohmann::json;

namespace {

Json addresses_of(const std::vector<Address>& addresses, const std::string& name) {
  auto result = Json::array();
  for (const auto& address : addresses) result.push_back({{"type", "InternalIP"}, {"address", address.to_string()}});
  result.push_back({{"type", "Hostname"}, {"address", name}});
  return result;
}

Json condition(const char* type, bool holds, const std::string& now, const char* reason, const char* message) {
  return {{"type", type},
          {"status", holds ? "True" : "False"},
          {"lastHeartbeatTime", now},
          {"lastTransitionTime", now},
          {"reason", reason},
          {"message", message}};
}

Json pod_condition(const char* type, bool holds, const std::string& now) {
  return {
      {"type", type}, {"status", holds ? "True" : "False"}, {"lastProbeTime", nullptr}, {"lastTransitionTime", now}};
}

}  // namespace

std::string kube_name(const std::string& name) {
  return boost::algorithm::replace_all_copy(boost::algorithm::to_lower_copy(name), "_", "-");
}

std::string container_label(const std::string& pod) { return boost::algorithm::replace_all_copy(pod, ".", "-"); }

Json node_object(const NodeFacts& facts, std::chrono::sys_seconds now) {
  const auto name = kube_name(facts.name);
  const auto time = kube::timestamp(now);
  Json node{{"apiVersion", "v1"},
            {"kind", "Node"},
            {"metadata",
             {{"name", name},
              {"labels",
               {{"kubernetes.io/hostname", name}, {"kubernetes.io/os", "linux"}, {"beta.kubernetes.io/os", "linux"}}},
              {"annotations", {{"knetsim.io/name", facts.name}}}}},
            {"spec", Json::object()},
            {"status",
             {{"addresses", addresses_of(facts.addresses, name)},
              {"daemonEndpoints", {{"kubeletEndpoint", {{"Port", facts.kubelet_port}}}}},
              {"conditions", {condition("Ready", true, time, "KubeletReady", "the worker's network stands")}},
              {"nodeInfo",
               {{"machineID", ""},
                {"systemUUID", ""},
                {"bootID", ""},
                {"architecture", ""},
                {"operatingSystem", "linux"},
                {"kernelVersion", facts.kernel},
                {"osImage", "knetsim worker (network namespace)"},
                {"containerRuntimeVersion", "netns://1"},
                {"kubeletVersion", "v1.32.0-knetsim"},
                {"kubeProxyVersion", ""}}}}}};
  for (const auto& subnet : facts.pod_subnets) {
    const auto cidr = to_string(canonical(subnet));
    auto& spec = node["spec"];
    if (!spec.contains("podCIDR")) spec["podCIDR"] = cidr;
    spec["podCIDRs"].push_back(cidr);
  }
  return node;
}

Json pod_object(const PodFacts& facts, std::chrono::sys_seconds now) {
  const auto name = kube_name(facts.name);
  const auto time = kube::timestamp(now);
  const auto label = container_label(name);
  Json container{{"name", label}, {"image", facts.command.empty() ? "knetsim/pause" : "knetsim/host"}};
  if (!facts.command.empty()) container["command"] = facts.command;
  Json pod{
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"knetsim.io/container", facts.name}}}}},
      {"spec",
       {{"nodeName", kube_name(facts.node)}, {"containers", {container}}, {"tolerations", {{{"operator", "Exists"}}}}}},
      {"status",
       {{"phase", "Running"},
        {"conditions",
         {pod_condition("Ready", facts.running, time), pod_condition("ContainersReady", facts.running, time),
          pod_condition("Initialized", true, time), pod_condition("PodScheduled", true, time)}},
        {"hostIP", facts.node_address.to_string()},
        {"hostIPs", {{{"ip", facts.node_address.to_string()}}}},
        {"startTime", time}}}};
  auto& status = pod["status"];
  for (const auto& address : facts.addresses) {
    if (!status.contains("podIP")) status["podIP"] = address.to_string();
    status["podIPs"].push_back({{"ip", address.to_string()}});
  }
  const Json state = facts.running ? Json{{"running", {{"startedAt", time}}}}
                                   : Json{{"terminated", {{"exitCode", 1}, {"reason", "Error"}, {"finishedAt", time}}}};
  status["containerStatuses"] = {{{"name", label},
                                  {"state", state},
                                  {"lastState", Json::object()},
                                  {"ready", facts.running},
                                  {"restartCount", 0},
                                  {"image", container["image"]},
                                  {"imageID", ""},
                                  {"started", facts.running}}};
  return pod;
}

}  // namespace knetsim
