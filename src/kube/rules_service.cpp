#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <set>
#include <utility>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

bool has_node_ports(const json& service) {
  const auto& type = text_at(service, "spec", "type");
  if (type == "NodePort") return true;
  const auto& allocate = member(service, "spec", "allocateLoadBalancerNodePorts");
  return type == "LoadBalancer" && (!allocate.is_boolean() || allocate.get<bool>());
}

bool is_external_name(const json& service) { return text_at(service, "spec", "type") == "ExternalName"; }
bool is_load_balancer(const json& service) { return text_at(service, "spec", "type") == "LoadBalancer"; }
bool is_headless(const json& service) { return text_at(service, "spec", "clusterIP") == "None"; }
/// Whether traffic comes to it from outside the cluster.
bool is_reached_from_outside(const json& service) {
  const auto& type = text_at(service, "spec", "type");
  return type == "NodePort" || type == "LoadBalancer" || !list_at(service, "spec", "externalIPs").empty();
}
bool has_health_check_port(const json& service) {
  return is_load_balancer(service) && text_at(service, "spec", "externalTrafficPolicy") == "Local";
}

/// As Go's %#v shows a port in complaints.
std::string shown_port(const json& port) {
  const auto& target = member(port, "targetPort");
  const auto& protocol = member(port, "appProtocol");
  return fmt::format(
      "core.ServicePort{{Name:\"{}\", Protocol:\"{}\", AppProtocol:(*string)({}), Port:{}, "
      "TargetPort:intstr.IntOrString{{Type:{}, IntVal:{}, StrVal:\"{}\"}}, NodePort:{}}}",
      text_at(port, "name"), text_at(port, "protocol"), protocol.is_string() ? protocol.dump() : "nil",
      number_at(port, "port"), target.is_string() ? 1 : 0, number_in(target), text_in(target),
      number_at(port, "nodePort"));
}

void validate_port(const json& port, const std::string& at, bool needs_name, FieldErrors& errors) {
  const auto& name = text_at(port, "name");
  if (name.empty() && needs_name) {
    errors.required(at + ".name");
  } else if (!name.empty()) {
    if (const auto problem = dns1123_label_problem(name); !problem.empty()) errors.invalid(at + ".name", name, problem);
  }
  validate_port_number(number_at(port, "port"), at + ".port", errors);
  validate_choice(member(port, "protocol"), at + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  const auto& target = member(port, "targetPort");
  if (target.is_string()) {
    const auto problem = port_name_problem(text_in(target));
    if (!problem.empty()) errors.invalid(at + ".targetPort", target, problem);
  } else {
    validate_port_number(number_in(target), at + ".targetPort", errors);
  }
  if (const auto& protocol = text_at(port, "appProtocol"); !protocol.empty()) {
    const auto problem = qualified_name_problem(protocol);
    if (!problem.empty()) errors.invalid(at + ".appProtocol", protocol, problem);
  }
}

void validate_ports(const json& service, FieldErrors& errors) {
  const auto& ports = list_at(service, "spec", "ports");
  std::set<std::string> names;
  std::set<std::pair<std::int64_t, std::string>> taken;
  std::set<std::pair<std::int64_t, std::string>> node_ports;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto at = fmt::format("spec.ports[{}]", i);
    const auto& port = ports[i];
    validate_port(port, at, ports.size() > 1, errors);
    if (const auto& name = text_at(port, "name"); !name.empty() && !names.insert(name).second) {
      errors.duplicate(at + ".name", name);
    }
    const auto node_port = number_at(port, "nodePort");
    if (node_port != 0 && !has_node_ports(service) && !is_load_balancer(service)) {
      errors.forbidden(at + ".nodePort",
                       fmt::format("may not be used when `type` is '{}'", text_at(service, "spec", "type")));
    }
    const auto& protocol = text_at(port, "protocol");
    if (node_port != 0 && !node_ports.emplace(node_port, protocol).second)
      errors.duplicate(at + ".nodePort", node_port);
    if (!taken.emplace(number_at(port, "port"), protocol).second) errors.duplicate_shown(at, shown_port(port));
  }
}

/// An address that traffic from outside may come to.
void validate_plain_address(const json& value, const std::string& at, FieldErrors& errors) {
  boost::system::error_code failed;
  const auto address = boost::asio::ip::make_address(text_in(value), failed);
  if (failed) return validate_address(value, at, errors);
  if (address.is_unspecified()) errors.invalid(at, value, fmt::format("may not be unspecified ({})", text_in(value)));
  if (address.is_loopback()) errors.invalid(at, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
  const bool link_local = address.is_v6()
                              ? address.to_v6().is_link_local()
                              : address.to_v4().to_bytes()[0] == 169 && address.to_v4().to_bytes()[1] == 254;
  if (link_local) errors.invalid(at, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
  if (address.is_multicast())
    errors.invalid(at, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

void validate_addresses(const json& service, FieldErrors& errors) {
  const auto& type = text_at(service, "spec", "type");
  const auto& addresses = list_at(service, "spec", "clusterIPs");
  if (is_external_name(service)) {
    if (!addresses.empty()) errors.invalid("spec.clusterIPs", addresses, "may not be set for ExternalName services");
    const auto& name = text_at(service, "spec", "externalName");
    if (name.empty()) {
      errors.required("spec.externalName");
    } else if (const auto bare = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
               !dns1123_subdomain_problem(bare).empty()) {
      errors.invalid("spec.externalName", name, dns1123_subdomain_problem(bare));
    }
    return;
  }
  if (is_headless(service) && (type == "NodePort" || type == "LoadBalancer")) {
    errors.invalid("spec.clusterIPs[0]", "None", fmt::format("may not be set to 'None' for {} services", type));
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto at = fmt::format("spec.clusterIPs[{}]", i);
    if (addresses[i] == "None") {
      if (addresses.size() > 1) errors.invalid("spec.clusterIPs", addresses, "'None' must be the first and only value");
      break;
    }
    validate_address(addresses[i], at, errors);
  }
  if (addresses.size() > 2) errors.invalid("spec.clusterIPs", addresses, "may only hold up to 2 values");
  if (!addresses.empty() && addresses[0] != text_at(service, "spec", "clusterIP")) {
    errors.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`");
  }
}

void validate_affinity(const json& service, FieldErrors& errors) {
  const auto& affinity = member(service, "spec", "sessionAffinity");
  validate_choice(affinity, "spec.sessionAffinity", {"ClientIP", "None"}, errors);
  const auto& config = member(service, "spec", "sessionAffinityConfig");
  if (affinity == "ClientIP") {
    const auto seconds = number_at(config, "clientIP", "timeoutSeconds");
    if (seconds <= 0 || seconds > 86400) {
      errors.invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
                     "must be greater than 0 and less than 86400");
    }
  } else if (!config.is_null()) {
    errors.forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None");
  }
}

void validate_policies(const json& service, FieldErrors& errors) {
  const auto& external = member(service, "spec", "externalTrafficPolicy");
  if (is_reached_from_outside(service)) {
    if (external.is_null()) {
      errors.required("spec.externalTrafficPolicy");
    } else {
      validate_choice(external, "spec.externalTrafficPolicy", {"Cluster", "Local"}, errors);
    }
  } else if (!external.is_null()) {
    errors.invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services");
  }
  if (const auto& internal = member(service, "spec", "internalTrafficPolicy"); !internal.is_null()) {
    validate_choice(internal, "spec.internalTrafficPolicy", {"Cluster", "Local"}, errors);
  }
  if (const auto& distribution = member(service, "spec", "trafficDistribution"); !distribution.is_null()) {
    validate_choice(distribution, "spec.trafficDistribution", {"PreferClose", "PreferSameNode", "PreferSameZone"},
                    errors);
  }
  if (const auto port = number_at(service, "spec", "healthCheckNodePort");
      port != 0 && !has_health_check_port(service)) {
    errors.invalid("spec.healthCheckNodePort", port,
                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
  }
}

void validate_load_balancer(const json& service, FieldErrors& errors) {
  const auto& ranges = list_at(service, "spec", "loadBalancerSourceRanges");
  if (!ranges.empty() && !is_load_balancer(service)) {
    errors.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'");
  }
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    validate_cidr(ranges[i], fmt::format("spec.loadBalancerSourceRanges[{}]", i), errors);
  }
  if (is_load_balancer(service)) return;
  if (!member(service, "spec", "allocateLoadBalancerNodePorts").is_null()) {
    errors.forbidden("spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'");
  }
  if (!member(service, "spec", "loadBalancerClass").is_null()) {
    errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'");
  }
  if (!list_at(service, "status", "loadBalancer", "ingress").empty()) {
    errors.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is \"LoadBalancer\"");
  }
}

/// Node ports of `old` for the ports of `service` that haven't one and are the same.
void keep_node_ports(json& service, const json& old) {
  for (auto& port : service["spec"]["ports"]) {
    if (number_at(port, "nodePort") != 0) continue;
    for (const auto& before : list_at(old, "spec", "ports")) {
      if (member(before, "port") == member(port, "port") && member(before, "protocol") == member(port, "protocol") &&
          number_at(before, "nodePort") != 0) {
        port["nodePort"] = before["nodePort"];
      }
    }
  }
}

/// What stood there for a type that the service no longer has, unless it was changed along with the type.
void drop(json& service, const json& old, std::string_view key) {
  auto& spec = service["spec"];
  if (spec.contains(key) && spec[key] == member(old, "spec", key)) spec.erase(key);
}

void drop_node_ports(json& service, const json& old) {
  auto& ports = service["spec"]["ports"];
  for (auto& port : ports) {
    for (const auto& before : list_at(old, "spec", "ports")) {
      if (number_at(port, "nodePort") != 0 && member(port, "nodePort") == member(before, "nodePort"))
        port.erase("nodePort");
    }
  }
}

}  // namespace

void fill_in_service(json& object) {
  auto& spec = object["spec"];
  put_default(spec, "sessionAffinity", "None");
  if (spec["sessionAffinity"] == "None") {
    spec.erase("sessionAffinityConfig");
  } else if (spec["sessionAffinity"] == "ClientIP" &&
             !member(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds").is_number()) {
    spec["sessionAffinityConfig"] = {{"clientIP", {{"timeoutSeconds", 10800}}}};
  }
  put_default(spec, "type", "ClusterIP");
  if (spec.contains("ports")) {
    for (auto& port : spec["ports"]) {
      put_default(port, "protocol", "TCP");
      const auto& target = member(port, "targetPort");
      if (target.is_null() || target == 0 || target == "") port["targetPort"] = port["port"];
    }
  }
  if (is_reached_from_outside(object)) put_default(spec, "externalTrafficPolicy", "Cluster");
  if (!is_external_name(object)) put_default(spec, "internalTrafficPolicy", "Cluster");
  if (is_load_balancer(object)) put_default(spec, "allocateLoadBalancerNodePorts", true);
  if (const auto& addresses = list_at(spec, "clusterIPs"); !addresses.empty()) {
    put_default(spec, "clusterIP", addresses[0]);
  } else if (!text_at(spec, "clusterIP").empty()) {
    spec["clusterIPs"] = json::array({spec["clusterIP"]});
  }
}

void begin_service(json& object) { object["status"] = {{"loadBalancer", json::object()}}; }

void validate_service(const json& object, FieldErrors& errors) {
  if (list_at(object, "spec", "ports").empty() && !is_headless(object) && !is_external_name(object)) {
    errors.required("spec.ports");
  }
  validate_addresses(object, errors);
  validate_ports(object, errors);
  validate_labels(member(object, "spec", "selector"), "spec.selector", errors);
  validate_affinity(object, errors);
  const auto& external = list_at(object, "spec", "externalIPs");
  for (std::size_t i = 0; i < external.size(); ++i) {
    validate_plain_address(external[i], fmt::format("spec.externalIPs[{}]", i), errors);
  }
  validate_choice(member(object, "spec", "type"), "spec.type",
                  {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"}, errors);
  validate_policies(object, errors);
  validate_load_balancer(object, errors);
}

void carry_over_service(json& object, const json& old) {
  auto& spec = object["spec"];
  const auto& old_addresses = list_at(old, "spec", "clusterIPs");
  // A change of one of clusterIP and clusterIPs is meant for both.
  if (text_at(spec, "clusterIP") != text_at(old, "spec", "clusterIP") && list_at(spec, "clusterIPs") == old_addresses) {
    if (text_at(spec, "clusterIP").empty()) {
      spec.erase("clusterIPs");
    } else {
      spec["clusterIPs"] = json::array({spec["clusterIP"]});
    }
  } else if (text_at(spec, "clusterIP") == text_at(old, "spec", "clusterIP") && spec.contains("clusterIPs") &&
             list_at(spec, "clusterIPs") != old_addresses) {
    if (list_at(spec, "clusterIPs").empty()) {
      spec.erase("clusterIP");
    } else {
      spec["clusterIP"] = spec["clusterIPs"][0];
    }
  }
  // What the server has given stays, if a PUT doesn't mention it.
  if (!is_external_name(object) && !is_external_name(old)) {
    if (text_at(spec, "clusterIP").empty()) {
      spec["clusterIP"] = member(old, "spec", "clusterIP");
      spec["clusterIPs"] = old_addresses;
    }
    for (const auto* const key : {"ipFamilies", "ipFamilyPolicy"})
      if (!spec.contains(key) && member(old, "spec").contains(key)) spec[key] = old["spec"][key];
  }
  if (has_node_ports(object) && has_node_ports(old) && spec.contains("ports")) keep_node_ports(object, old);
  if (has_health_check_port(object) && has_health_check_port(old) && number_at(spec, "healthCheckNodePort") == 0) {
    spec["healthCheckNodePort"] = number_at(old, "spec", "healthCheckNodePort");
  }
  // What goes with a type goes when the type does.
  if (is_external_name(object) && !is_external_name(old)) {
    for (const auto* const key : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"})
      drop(object, old, key);
  }
  if (!has_node_ports(object) && has_node_ports(old) && !is_load_balancer(object) && spec.contains("ports"))
    drop_node_ports(object, old);
  if (!has_health_check_port(object) && has_health_check_port(old)) drop(object, old, "healthCheckNodePort");
  if (!is_reached_from_outside(object) && is_reached_from_outside(old)) drop(object, old, "externalTrafficPolicy");
  if (!is_load_balancer(object) && is_load_balancer(old)) {
    for (const auto* const key : {"allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"})
      drop(object, old, key);
    object["status"] = {{"loadBalancer", json::object()}};
  }
}

void validate_service_change(const json& object, const json& old, FieldErrors& errors) {
  if (is_external_name(object) || is_external_name(old)) return;
  const auto& before = text_at(old, "spec", "clusterIP");
  if (!before.empty() && text_at(object, "spec", "clusterIP") != before) {
    errors.invalid("spec.clusterIPs[0]", list_at(object, "spec", "clusterIPs"), "may not change once set");
  }
}

}  // namespace knetsim::kube
