// Services as the Kubernetes API has them.
#include "services.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "knetsim/kube/access.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"
#include "owners.h"

namespace knetsim::explain {

namespace {

using nlohmann::json;

void keep_quiet(const std::string& /*object*/, const std::string& /*why*/) {}

/// nullptr: nobody's, or it runs no API.
Cluster* cluster_with_api(Emulation& emulation, const std::string& from) {
  auto* home = home_of(emulation, from);
  return home != nullptr && home->api_server() != nullptr ? home : nullptr;
}

std::string context_of(Emulation& emulation, const Cluster& cluster) {
  return emulation.clusters().front() == &cluster ? "" : fmt::format("--context {} ", cluster.name());
}

std::optional<Protocol> protocol_of(nft::L4Proto protocol) {
  if (protocol == nft::L4Proto::tcp) return Protocol::tcp;
  if (protocol == nft::L4Proto::udp) return Protocol::udp;
  return std::nullopt;
}

std::string selector_of(const json& service) {
  const auto& selector = kube::member(service, "spec", "selector");
  std::string text;
  if (selector.is_object())
    for (const auto& [key, value] : selector.items())
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, kube::text_in(value));
  return text;
}

bool selects(const json& service, const json& pod) {
  const auto& selector = kube::member(service, "spec", "selector");
  if (!selector.is_object() || selector.empty()) return false;
  for (const auto& [key, value] : selector.items())
    if (kube::text_at(pod, "metadata", "labels", key) != kube::text_in(value)) return false;
  return true;
}

/// What nobody has to be asked for but the Service itself.
std::optional<KnownService> read(const json& object) {
  const auto spec = kubeproxy::read_service(object, keep_quiet);
  if (!spec) return std::nullopt;
  KnownService service{.name = spec->key};
  for (const auto* addresses : {&spec->cluster_ips, &spec->external_ips, &spec->load_balancer_ips})
    service.addresses.insert(service.addresses.end(), addresses->begin(), addresses->end());
  for (const auto& port : spec->ports)
    if (const auto protocol = protocol_of(port.protocol))
      service.ports.push_back(
          {.name = port.name, .protocol = *protocol, .port = port.port, .node_port = port.node_port});
  for (const auto& port : kube::list_at(object, "spec", "ports"))
    for (auto& known : service.ports) {
      if (known.name != kube::text_at(port, "name")) continue;
      const auto& target = kube::member(port, "targetPort");
      known.target_port = target.is_number() ? fmt::format("{}", kube::number_in(target)) : kube::text_in(target);
    }
  service.source_ranges = spec->source_ranges;
  service.selector = selector_of(object);
  return service;
}

/// Who stands behind it.
void ask_for_endpoints(Cluster& cluster, const json& object, KnownService& service) {
  const auto& in = kube::namespace_of(object);
  kubeproxy::Backends backends;
  const auto slices = cluster.ask_api(fmt::format(
      "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{}", in,
      kube::name_of(object)));
  for (const auto& slice : kube::list_at(slices, "items")) {
    service.slices.push_back(kube::name_of(slice));
    kubeproxy::add_slice(backends, slice, keep_quiet);
  }
  for (const auto& [port, list] : backends)
    for (const auto& one : list)
      service.endpoints.push_back(
          {.address = one.address, .port = one.port, .ready = one.ready && !one.terminating, .node = one.node});
  if (service.selector.empty()) return;
  const auto pods = cluster.ask_api(fmt::format("/api/v1/namespaces/{}/pods", in));
  for (const auto& pod : kube::list_at(pods, "items")) {
    ++service.pods;
    if (selects(object, pod)) ++service.selected;
  }
}

KnownService known(Emulation& emulation, Cluster& cluster, const json& object, KnownService service) {
  service.context = context_of(emulation, cluster);
  ask_for_endpoints(cluster, object, service);
  return service;
}

/// "web" and "default" of any way to write it; nullopt: it isn't one.
struct Called {
  std::string name;
  std::string in;
  bool plainly = false;  // it says itself that it means a Service
};
std::optional<Called> called(std::string_view text) {
  Called result{.name = {}, .in = "default"};
  for (const std::string_view kind : {"svc/", "service/", "services/"})
    if (text.starts_with(kind)) {
      result.plainly = true;
      text.remove_prefix(kind.size());
    }
  if (text.empty() || text.find('/') != std::string_view::npos) return std::nullopt;
  const auto dot = text.find('.');
  if (dot == std::string_view::npos && !result.plainly) return std::nullopt;
  result.name = text.substr(0, dot);
  if (dot == std::string_view::npos) return result;
  auto rest = text.substr(dot + 1);
  const auto end = rest.find('.');
  result.in = rest.substr(0, end);
  if (end == std::string_view::npos) return result;
  rest = rest.substr(end + 1);
  if (rest != "svc" && !rest.starts_with("svc.")) return std::nullopt;
  return result;
}

}  // namespace

bool KnownService::has_address(const Address& address) const {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

const KnownService::Port* KnownService::port_at(Protocol protocol, std::uint16_t port, bool of_node) const {
  const auto found = std::find_if(ports.begin(), ports.end(), [&](const Port& one) {
    return one.protocol == protocol && (of_node ? one.node_port : one.port) == port && port != 0;
  });
  return found == ports.end() ? nullptr : &*found;
}

std::string to_string(const KnownService& service, const KnownService::Port* port) {
  if (port == nullptr) return "Service " + service.name;
  return fmt::format("Service {}, port {}{}", service.name, port->port,
                     port->name.empty() ? "" : fmt::format(" ({})", port->name));
}

std::string summary_of(const KnownService& service, const Question& question) {
  const auto* port = service.port_at(question.protocol, question.port, !service.has_address(question.to));
  const auto ready = std::count_if(service.endpoints.begin(), service.endpoints.end(),
                                   [](const KnownService::Endpoint& one) { return one.ready; });
  return fmt::format("{}: {} of {} endpoint{} ready", to_string(service, port), ready, service.endpoints.size(),
                     service.endpoints.size() == 1 ? " is" : "s are");
}

bool has_services(Emulation& emulation, const std::string& from) {
  return cluster_with_api(emulation, from) != nullptr;
}

std::optional<KnownService> service_named(Emulation& emulation, const std::string& from, std::string_view name) {
  const auto wanted = called(name);
  if (!wanted) return std::nullopt;
  auto* cluster = cluster_with_api(emulation, from);
  if (cluster == nullptr) {
    if (!wanted->plainly) return std::nullopt;
    throw InputError(
        fmt::format("{}: no Kubernetes API that would know it runs yet\n  remedy: kubectl get services -A starts it",
                    excerpt(name)));
  }
  const auto all = cluster->ask_api("/api/v1/services");
  std::vector<std::string> names;
  for (const auto& object : kube::list_at(all, "items")) {
    names.push_back(kube::name_of(object) + "." + kube::namespace_of(object));
    if (kube::name_of(object) != wanted->name || kube::namespace_of(object) != wanted->in) continue;
    auto service = read(object);
    if (!service)
      throw InputError(
          fmt::format("Service {}/{} has no address of its own\n  remedy: name a container behind it: "
                      "kubectl get endpointslices -n {}",
                      wanted->in, wanted->name, wanted->in));
    return known(emulation, *cluster, object, std::move(*service));
  }
  if (!wanted->plainly) return std::nullopt;
  const auto near = nearest(wanted->name + "." + wanted->in, names);
  throw InputError(fmt::format("{} has no Service {} in namespace {}{}\n  remedy: kubectl {}get services -A",
                               cluster->name(), excerpt(wanted->name), excerpt(wanted->in),
                               near.empty() ? "" : fmt::format("; did you mean {}?", near),
                               context_of(emulation, *cluster)));
}

std::optional<KnownService> service_at(Emulation& emulation, const Question& question, bool of_node) {
  auto* cluster = cluster_with_api(emulation, question.from);
  if (cluster == nullptr) return std::nullopt;
  const auto all = cluster->ask_api("/api/v1/services");
  for (const auto& object : kube::list_at(all, "items")) {
    auto service = read(object);
    if (!service) continue;
    if (of_node ? service->port_at(question.protocol, question.port, true) != nullptr
                : service->has_address(question.to))
      return known(emulation, *cluster, object, std::move(*service));
  }
  return std::nullopt;
}

}  // namespace knetsim::explain
