// Kubernetes objects as they come from an API server: whatever is in them, they are read without a throw.
#include <fmt/format.h>

#include <algorithm>

#include "knetsim/kube/access.h"
#include "knetsim/kubeproxy/services.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::kubeproxy {

using kube::bool_at;
using kube::list_at;
using kube::list_in;
using kube::member;
using kube::number_at;
using kube::text_at;
using kube::text_in;
using nlohmann::json;

namespace {

constexpr auto kServiceNameLabel = "kubernetes.io/service-name";
constexpr auto kProxyNameLabel = "service.kubernetes.io/service-proxy-name";
constexpr auto kHeadlessLabel = "service.kubernetes.io/headless";
constexpr std::int64_t kAffinityDefault = 10'800;
constexpr std::int64_t kAffinityLongest = 86'400;

std::string key_of(const json& object) {
  return fmt::format("{}/{}", kube::namespace_of(object), kube::name_of(object));
}

/// Kubernetes takes numbers with leading zeros for decimal ones.
std::string without_leading_zeros(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return std::string(text);
  std::string result;
  bool at_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit_follows = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (at_start && text[i] == '0' && digit_follows) continue;
    at_start = text[i] == '.' || text[i] == '/';
    result += text[i];
  }
  return result;
}

std::optional<Address> address_in(const json& value, const std::string& whose, const Complain& complain) {
  const auto& text = text_in(value);
  if (text.empty() || text == "None") return std::nullopt;
  try {
    return parse_address(without_leading_zeros(text));
  } catch (const InputError&) {
    complain(whose, fmt::format("{} is no address", excerpt(text)));
    return std::nullopt;
  }
}

std::vector<Address> addresses_in(const json& list, const std::string& whose, const Complain& complain) {
  std::vector<Address> addresses;
  for (const auto& each : list)
    if (const auto address = address_in(each, whose, complain);
        address && std::ranges::find(addresses, *address) == addresses.end())
      addresses.push_back(*address);
  return addresses;
}

std::optional<nft::L4Proto> protocol_in(const std::string& text) {
  if (text.empty() || text == "TCP") return nft::L4Proto::tcp;
  if (text == "UDP") return nft::L4Proto::udp;
  if (text == "SCTP") return nft::L4Proto::sctp;
  return std::nullopt;
}

std::optional<std::uint16_t> port_in(std::int64_t number) {
  if (number < 1 || number > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

bool has_label(const json& object, const char* label) {
  const auto& labels = member(object, "metadata", "labels");
  return labels.is_object() && labels.contains(label);
}

void read_load_balancer(const json& service, ServiceSpec& spec, const Complain& complain) {
  for (const auto& ingress : list_at(service, "status", "loadBalancer", "ingress")) {
    if (text_at(ingress, "ipMode") == "Proxy") continue;
    if (const auto address = address_in(member(ingress, "ip"), spec.key, complain))
      spec.load_balancer_ips.push_back(*address);
  }
  for (const auto& range : list_at(service, "spec", "loadBalancerSourceRanges")) {
    auto text = text_in(range);
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
    try {
      spec.source_ranges.push_back(canonical(parse_network(without_leading_zeros(text))));
    } catch (const InputError&) {
      complain(spec.key, fmt::format("loadBalancerSourceRanges: {} is no range of addresses", excerpt(text)));
    }
  }
}

void read_ports(const json& service, ServiceSpec& spec, const Complain& complain) {
  for (const auto& port : list_at(service, "spec", "ports")) {
    const auto protocol = protocol_in(text_at(port, "protocol"));
    const auto number = port_in(number_at(port, "port"));
    if (!protocol || !number) {
      complain(spec.key, fmt::format("its port {} {} can't be served", excerpt(text_at(port, "protocol")),
                                     number_at(port, "port")));
      continue;
    }
    spec.ports.push_back({.name = text_at(port, "name"),
                          .protocol = *protocol,
                          .port = *number,
                          .node_port = port_in(number_at(port, "nodePort")).value_or(0)});
  }
}

/// A condition that isn't said.
bool condition(const json& endpoint, const char* name, bool otherwise) {
  const auto& value = member(endpoint, "conditions", name);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

std::vector<std::string> names_in(const json& list) {
  std::vector<std::string> names;
  for (const auto& each : list) names.push_back(text_at(each, "name"));
  return names;
}

}  // namespace

std::optional<ServiceSpec> read_service(const json& service, const Complain& complain) {
  const auto& type = text_at(service, "spec", "type");
  if (type == "ExternalName" || has_label(service, kProxyNameLabel) || has_label(service, kHeadlessLabel))
    return std::nullopt;
  ServiceSpec spec{.key = key_of(service)};
  auto addresses = list_at(service, "spec", "clusterIPs");
  if (addresses.empty()) addresses = json::array({member(service, "spec", "clusterIP")});
  spec.cluster_ips = addresses_in(addresses, spec.key, complain);
  std::erase_if(spec.cluster_ips, [](const Address& address) { return address.is_unspecified(); });
  if (spec.cluster_ips.empty()) return std::nullopt;
  spec.external_ips = addresses_in(list_at(service, "spec", "externalIPs"), spec.key, complain);
  if (type == "LoadBalancer") read_load_balancer(service, spec, complain);
  if (text_at(service, "spec", "sessionAffinity") == "ClientIP") {
    const auto seconds = number_at(service, "spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds");
    spec.affinity = static_cast<std::uint32_t>(seconds < 1 || seconds > kAffinityLongest ? kAffinityDefault : seconds);
  }
  spec.internal_local = text_at(service, "spec", "internalTrafficPolicy") == "Local";
  spec.external_local = text_at(service, "spec", "externalTrafficPolicy") == "Local";
  if (type == "LoadBalancer" && spec.external_local)
    spec.health_check_node_port = port_in(number_at(service, "spec", "healthCheckNodePort")).value_or(0);
  read_ports(service, spec, complain);
  if (type != "NodePort" && type != "LoadBalancer")
    for (auto& port : spec.ports) port.node_port = 0;
  return spec;
}

std::string service_of_slice(const json& slice) {
  if (has_label(slice, kHeadlessLabel) || has_label(slice, kProxyNameLabel)) return {};
  const auto& name = text_at(slice, "metadata", "labels", kServiceNameLabel);
  return name.empty() ? std::string() : fmt::format("{}/{}", kube::namespace_of(slice), name);
}

void add_slice(Backends& backends, const json& slice, const Complain& complain) {
  const auto& family = text_at(slice, "addressType");
  if (family != "IPv4" && family != "IPv6") return;
  const auto whose = key_of(slice);
  for (const auto& port : list_at(slice, "ports")) {
    const auto protocol = protocol_in(text_at(port, "protocol"));
    const auto number = port_in(number_at(port, "port"));
    if (!protocol || !number) continue;
    auto& list = backends[{text_at(port, "name"), *protocol}];
    for (const auto& endpoint : list_at(slice, "endpoints")) {
      const auto& addresses = list_at(endpoint, "addresses");
      if (addresses.empty()) continue;
      const auto address = address_in(addresses.front(), whose, complain);
      if (!address) continue;
      if (address->is_v6() != (family == "IPv6") || address->is_unspecified() || address->is_multicast()) {
        complain(whose, fmt::format("{} can't be an endpoint of {}", address->to_string(), family));
        continue;
      }
      const bool ready = condition(endpoint, "ready", true);
      list.push_back({.address = *address,
                      .port = *number,
                      .ready = ready,
                      .serving = condition(endpoint, "serving", ready),
                      .terminating = condition(endpoint, "terminating", false),
                      .node = text_at(endpoint, "nodeName"),
                      .zones = names_in(list_at(endpoint, "hints", "forZones")),
                      .nodes = names_in(list_at(endpoint, "hints", "forNodes"))});
    }
  }
}

}  // namespace knetsim::kubeproxy
