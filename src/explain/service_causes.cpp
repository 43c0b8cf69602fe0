// What a Service of the Kubernetes API has to do with a loss.
#include <fmt/format.h>

#include <algorithm>

#include "services.h"

namespace knetsim::explain {

namespace {

constexpr std::string_view kProxysTable = "kube-proxy";

bool is_proxys(const Step& step, std::string_view chain = {}) {
  return step.chain.table.name == kProxysTable && step.chain.name.find(chain) != std::string::npos;
}

/// "default/web" as kubectl is told it: "web -n default".
std::string as_arguments(const KnownService& service) {
  const auto slash = service.name.find('/');
  return fmt::format("{} -n {}", service.name.substr(slash + 1), service.name.substr(0, slash));
}

std::string kubectl(const KnownService& service, const std::string& arguments) {
  return fmt::format("kubectl {}{}", service.context, arguments);
}

std::string show_slices(const KnownService& service) {
  const auto slash = service.name.find('/');
  return kubectl(service, fmt::format("get endpointslices -n {} -l kubernetes.io/service-name={}",
                                      service.name.substr(0, slash), service.name.substr(slash + 1)));
}

std::string patch(const KnownService& service, const std::string& what) {
  return kubectl(service, fmt::format("patch service {} -p '{}'", as_arguments(service), what));
}

std::string ports_of(const KnownService& service) {
  std::string text;
  for (const auto& port : service.ports)
    text += fmt::format("{}{} {}{}", text.empty() ? "" : ", ", name_of(port.protocol), port.port,
                        port.name.empty() ? "" : fmt::format(" ({})", port.name));
  return text.empty() ? "none" : text;
}

std::string slices_of(const KnownService& service) {
  std::string text = service.slices.size() == 1 ? "EndpointSlice" : "EndpointSlices";
  for (const auto& slice : service.slices) text += (&slice == &service.slices.front() ? " " : ", ") + slice;
  return text;
}

/// Why nobody stands behind it.
std::string why_no_endpoint(const KnownService& service) {
  const auto ready = std::count_if(service.endpoints.begin(), service.endpoints.end(),
                                   [](const KnownService::Endpoint& one) { return one.ready; });
  if (service.endpoints.empty() && !service.selector.empty())
    return fmt::format("its selector {} matches {} of {} pods", service.selector, service.selected, service.pods);
  if (service.endpoints.empty())
    return service.slices.empty() ? "it has no selector, and nobody has made an EndpointSlice for it"
                                  : slices_of(service) + " has no endpoints";
  if (ready > 0) return fmt::format("{} has {} that are ready", slices_of(service), ready);
  auto text = fmt::format("{} has {} endpoint{}, and none is ready:", slices_of(service), service.endpoints.size(),
                          service.endpoints.size() == 1 ? "" : "s");
  for (const auto& one : service.endpoints) text += " " + one.address.to_string();
  return text;
}

std::string where_endpoints_are(const KnownService& service) {
  std::vector<std::string> nodes;
  for (const auto& one : service.endpoints)
    if (one.ready && std::find(nodes.begin(), nodes.end(), one.node) == nodes.end()) nodes.push_back(one.node);
  std::string text;
  for (const auto& node : nodes) text += (text.empty() ? "" : ", ") + node;
  return text.empty() ? "no node" : text;
}

/// What the worker's own proxy has not written.
void blame_proxy(Cause& cause, const std::string& whose, const PlaceFacts& there) {
  cause.sentence = fmt::format("its kube-proxy hasn't written {}", whose);
  cause.object = fmt::format("kube-proxy of {}, which runs, but lags behind the API", cause.place);
  for (const auto& ended : there.ended)
    if (ended.starts_with(kProxysTable)) cause.object = fmt::format("kube-proxy of {} ({})", cause.place, ended);
  cause.remedy = fmt::format("restart {} kube-proxy", cause.place);
}

void tell_of_drop(Cause& cause, const KnownService& service, const KnownService::Port* port, const Question& question,
                  const Step& dropping, const PlaceFacts& there) {
  if (cause.disposition == Disposition::no_endpoint) {
    cause.sentence = fmt::format("{} has no endpoint that is ready", to_string(service, port));
    cause.object = fmt::format("{}: {}", to_string(service, port), why_no_endpoint(service));
    cause.remedy = show_slices(service);
  } else if (cause.disposition == Disposition::local_policy_no_endpoint) {
    cause.sentence = fmt::format("{} is served by endpoints of the same node only, and {} has none",
                                 to_string(service, port), cause.place);
    cause.object = fmt::format("{}: traffic policy Local; its endpoints are on {}", to_string(service, port),
                               where_endpoints_are(service));
    const bool internal = port != nullptr && question.port == port->port && !service.addresses.empty() &&
                          service.addresses.front() == question.to;
    cause.remedy = patch(
        service, fmt::format(R"({{"spec":{{"{}TrafficPolicy":"Cluster"}}}})", internal ? "internal" : "external"));
  } else if (is_proxys(dropping, "firewall")) {
    cause.sentence = fmt::format("its source isn't in the loadBalancerSourceRanges of Service {}", service.name);
    cause.object = to_string(service, port) + ": it takes";
    for (const auto& range : service.source_ranges) cause.object += " " + knetsim::to_string(range);
    cause.remedy = patch(service, R"({"spec":{"loadBalancerSourceRanges":[]}})");
  } else if (question.protocol == Protocol::icmp) {
    cause.sentence = fmt::format("Service {} answers no echoes: it has {}", service.name, ports_of(service));
    cause.object = to_string(service, port);
    if (!service.ports.empty())
      cause.remedy = fmt::format("explain {} {}:{}/{}", question.from, question.to.to_string(),
                                 service.ports.front().port, name_of(service.ports.front().protocol));
  } else if (port == nullptr) {
    cause.sentence = fmt::format("Service {} has no port {} {}: it has {}", service.name, name_of(question.protocol),
                                 question.port, ports_of(service));
    cause.object = to_string(service, port);
    cause.remedy = kubectl(service, fmt::format("get service {}", as_arguments(service)));
  } else {
    blame_proxy(cause, to_string(service, port), there);
  }
}

/// The pod was asked on the port that the Service says.
void tell_of_target(Cause& cause, const KnownService& service, const KnownService::Port& port,
                    const PlaceFacts& there) {
  cause.object = fmt::format("{}, which leads to port {} of its pods", to_string(service, &port), port.target_port);
  const Listener* other = nullptr;
  std::size_t others = 0;
  for (const auto& one : there.listeners)
    if (one.protocol == port.protocol && !one.address.is_loopback()) {
      ++others;
      other = &one;
    }
  if (cause.disposition != Disposition::no_listener || others != 1) return;
  cause.remedy = patch(service, fmt::format(R"({{"spec":{{"ports":[{{"port":{},"protocol":"{}","targetPort":{}}}]}}}})",
                                            port.port, port.protocol == Protocol::tcp ? "TCP" : "UDP", other->port));
}

}  // namespace

void tell_of_vip(Cause& cause, const kubeproxy::Vip& vip, const Address& turn, const Owners& owners) {
  const auto whose = std::find_if(vip.endpoints.begin(), vip.endpoints.end(),
                                  [&](const kubeproxy::VipEndpoint& one) { return one.address == turn; });
  if (whose == vip.endpoints.end() || !whose->gone) return;
  std::string there;
  for (const auto& endpoint : vip.endpoints)
    if (const auto owner = owners.find(endpoint.address); !endpoint.gone && owner != owners.end())
      there += " " + owner->second;
  const auto name = vip.address.to_string();
  if (cause.disposition == Disposition::unexplained) {
    // On the worker that had it nobody drops the packet: the bridge has nobody to give it to.
    cause.disposition = Disposition::no_endpoint;
    cause.cause = fmt::format("this probe was rewritten to {}, which no container has any more", turn.to_string());
  }
  if (cause.disposition == Disposition::no_endpoint)
    cause.sentence = fmt::format("it is the turn of {}, whose container is gone", turn.to_string());
  cause.object = fmt::format("VIP {}: a container that is deleted keeps its turn", name);
  cause.remedy = there.empty() ? fmt::format("vip del {}", name) : fmt::format("vip add {}{}", name, there);
}

void tell_of_service(Cause& cause, const KnownService* service, const Question& question, const Step* dropping,
                     const PlaceFacts& there) {
  const bool proxys = dropping != nullptr && is_proxys(*dropping);
  if (service == nullptr) {
    if (!proxys || !is_proxys(*dropping, "cluster-ips-check")) return;
    cause.sentence = fmt::format("{} is in the range of Services, and none has it", question.to.to_string());
    cause.object.clear();
    cause.remedy = "kubectl get services -A";
    return;
  }
  const bool of_node = !service->has_address(question.to);
  const auto* port = service->port_at(question.protocol, question.port, of_node);
  if (proxys) {
    tell_of_drop(cause, *service, port, question, *dropping, there);
  } else if (cause.way == Way::there && port != nullptr &&
             (cause.disposition == Disposition::no_listener || cause.disposition == Disposition::wrong_bind)) {
    tell_of_target(cause, *service, *port, there);
  } else if (cause.object.empty()) {
    cause.object = to_string(*service, port);
  }
}

}  // namespace knetsim::explain
