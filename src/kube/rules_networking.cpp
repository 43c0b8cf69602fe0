#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMostEndpoints = 1000;
constexpr std::size_t kMostPorts = 100;

void validate_endpoint(const json& endpoint, const std::string& at, const std::string& type, FieldErrors& errors) {
  const auto& addresses = list_at(endpoint, "addresses");
  if (addresses.empty()) errors.required(at + ".addresses", "must contain at least 1 address");
  if (addresses.size() > kMostPorts) errors.too_many(at + ".addresses", addresses.size(), kMostPorts);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto place = fmt::format("{}.addresses[{}]", at, i);
    if (type == "FQDN") {
      const auto problem = dns1123_subdomain_problem(text_in(addresses[i]));
      if (!problem.empty()) errors.invalid(place, addresses[i], problem);
      continue;
    }
    boost::system::error_code failed;
    const auto address = boost::asio::ip::make_address(text_in(addresses[i]), failed);
    if (type == "IPv4" && (failed || !address.is_v4())) {
      errors.invalid(place, addresses[i], "must be a valid IPv4 address");
    } else if (type == "IPv6" && (failed || !address.is_v6())) {
      errors.invalid(place, addresses[i], "must be a valid IPv6 address");
    } else if (address.is_unspecified()) {
      errors.invalid(place, addresses[i], fmt::format("may not be unspecified ({})", text_in(addresses[i])));
    } else if (address.is_loopback()) {
      errors.invalid(place, addresses[i], "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
  }
  if (const auto& name = text_at(endpoint, "hostname"); !name.empty() && !dns1123_label_problem(name).empty()) {
    errors.invalid(at + ".hostname", name, dns1123_label_problem(name));
  }
  if (const auto& node = text_at(endpoint, "nodeName"); !node.empty() && !dns1123_subdomain_problem(node).empty()) {
    errors.invalid(at + ".nodeName", node, dns1123_subdomain_problem(node));
  }
}

/// The network that a CIDR names, and nothing of its host part; nullopt if it is none.
template <typename Network>
std::optional<Network> network_of(const std::string& text,
                                  Network (*parse)(const std::string&, boost::system::error_code&)) {
  boost::system::error_code failed;
  const auto network = parse(text, failed);
  return failed ? std::nullopt : std::optional(network.canonical());
}

template <typename Network>
bool is_inside(const std::string& inner, const std::string& outer,
               Network (*parse)(const std::string&, boost::system::error_code&)) {
  const auto a = network_of(inner, parse);
  const auto b = network_of(outer, parse);
  return a && b && (a->is_subnet_of(*b));
}

void validate_ip_block(const json& block, const std::string& at, FieldErrors& errors) {
  const auto& cidr = text_at(block, "cidr");
  if (cidr.empty()) return errors.required(at + ".cidr");
  validate_cidr(block["cidr"], at + ".cidr", errors);
  const auto& except = list_at(block, "except");
  for (std::size_t i = 0; i < except.size(); ++i) {
    const auto place = fmt::format("{}.except[{}]", at, i);
    const auto before = errors.all().size();
    validate_cidr(except[i], place, errors);
    const auto& inner = text_in(except[i]);
    if (errors.all().size() == before &&
        !is_inside<boost::asio::ip::network_v4>(inner, cidr, boost::asio::ip::make_network_v4) &&
        !is_inside<boost::asio::ip::network_v6>(inner, cidr, boost::asio::ip::make_network_v6)) {
      errors.invalid(place, inner, fmt::format("must be a strict subset of `cidr`"));
    }
  }
}

void validate_peer(const json& peer, const std::string& at, FieldErrors& errors) {
  std::size_t sources = 0;
  if (peer.contains("podSelector")) {
    ++sources;
    validate_label_selector(peer["podSelector"], at + ".podSelector", errors);
  }
  if (peer.contains("namespaceSelector")) {
    ++sources;
    validate_label_selector(peer["namespaceSelector"], at + ".namespaceSelector", errors);
  }
  if (peer.contains("ipBlock")) {
    if (sources > 0) errors.forbidden(at, "may not specify both ipBlock and another peer");
    ++sources;
    validate_ip_block(peer["ipBlock"], at + ".ipBlock", errors);
  }
  if (sources == 0) errors.required(at, "must specify a peer");
}

void validate_policy_port(const json& port, const std::string& at, FieldErrors& errors) {
  if (const auto& protocol = member(port, "protocol"); !protocol.is_null()) {
    validate_choice(protocol, at + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  }
  const auto& number = member(port, "port");
  if (number.is_number()) validate_port_number(number_in(number), at + ".port", errors);
  if (number.is_string() && !port_name_problem(text_in(number)).empty()) {
    errors.invalid(at + ".port", number, port_name_problem(text_in(number)));
  }
  const auto& end = member(port, "endPort");
  if (end.is_null()) return;
  if (number.is_null()) {
    errors.required(at + ".port", "must be specified when endPort is set");
  } else if (number.is_string()) {
    errors.forbidden(at + ".endPort", "may not be specified when `port` is not an integer");
  } else if (number_in(end) < number_in(number)) {
    errors.invalid(at + ".endPort", end, "must be greater than or equal to `port`");
  } else if (number_in(end) > 65535) {
    validate_port_number(number_in(end), at + ".endPort", errors);
  }
}

void validate_policy_rules(const json& spec, const char* direction, const char* peers, FieldErrors& errors) {
  const auto& rules = list_at(spec, direction);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto at = fmt::format("spec.{}[{}]", direction, i);
    const auto& ports = list_at(rules[i], "ports");
    for (std::size_t j = 0; j < ports.size(); ++j)
      validate_policy_port(ports[j], fmt::format("{}.ports[{}]", at, j), errors);
    const auto& others = list_at(rules[i], peers);
    for (std::size_t j = 0; j < others.size(); ++j)
      validate_peer(others[j], fmt::format("{}.{}[{}]", at, peers, j), errors);
  }
}

void validate_backend(const json& backend, const std::string& at, FieldErrors& errors) {
  const auto& service = member(backend, "service");
  const bool resource = backend.contains("resource");
  if (service.is_null()) {
    if (!resource) errors.required(at, "cannot be empty, must specify a service or a resource backend");
    return;
  }
  if (resource) errors.invalid(at, "", "cannot set both resource and service backends");
  const auto& name = text_at(service, "name");
  if (name.empty()) {
    errors.required(at + ".service.name");
  } else if (const auto problem = dns1035_label_problem(name); !problem.empty()) {
    errors.invalid(at + ".service.name", name, problem);
  }
  const auto& port = member(service, "port");
  const auto& port_name = text_at(port, "name");
  const auto number = number_at(port, "number");
  if (!port_name.empty() && number != 0) {
    errors.invalid(at, "", "cannot set both port name & port number");
  } else if (!port_name.empty()) {
    const auto problem = port_name_problem(port_name);
    if (!problem.empty()) errors.invalid(at + ".service.port.name", port_name, problem);
  } else if (number == 0) {
    errors.required(at, "port name or number is required");
  } else {
    validate_port_number(number, at + ".service.port.number", errors);
  }
}

void validate_ingress_path(const json& path, const std::string& at, FieldErrors& errors) {
  const auto& type = member(path, "pathType");
  if (type.is_null()) {
    errors.required(at + ".pathType", "pathType must be specified");
  } else {
    validate_choice(type, at + ".pathType", {"Exact", "ImplementationSpecific", "Prefix"}, errors);
  }
  const auto& text = text_at(path, "path");
  if ((type == "Exact" || type == "Prefix") && !text.starts_with('/')) {
    errors.invalid(at + ".path", text, "must be an absolute path");
  } else if (text.find("//") != std::string::npos && type != "ImplementationSpecific") {
    errors.invalid(at + ".path", text, "must not contain '//'");
  }
  validate_backend(member(path, "backend"), at + ".backend", errors);
}

void validate_host(const std::string& host, const std::string& at, FieldErrors& errors) {
  if (host.empty()) return;
  boost::system::error_code failed;
  boost::asio::ip::make_address(host, failed);
  if (!failed) return errors.invalid(at, host, "must be a DNS name, not an IP address");
  const auto bare = host.starts_with("*.") ? host.substr(2) : host;
  if (const auto problem = dns1123_subdomain_problem(bare); !problem.empty()) errors.invalid(at, host, problem);
}

}  // namespace

void fill_in_endpoint_slice(json& object) {
  if (!object.contains("ports")) return;
  for (auto& port : object["ports"]) {
    if (!port.contains("name")) port["name"] = "";
    put_default(port, "protocol", "TCP");
  }
}

void validate_endpoint_slice(const json& object, FieldErrors& errors) {
  const auto& type = text_at(object, "addressType");
  if (type.empty()) {
    errors.required("addressType");
  } else {
    validate_choice(object["addressType"], "addressType", {"FQDN", "IPv4", "IPv6"}, errors);
  }
  const auto& endpoints = list_at(object, "endpoints");
  if (endpoints.size() > kMostEndpoints) return errors.too_many("endpoints", endpoints.size(), kMostEndpoints);
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    validate_endpoint(endpoints[i], fmt::format("endpoints[{}]", i), type, errors);
  }
  const auto& ports = list_at(object, "ports");
  if (ports.size() > kMostPorts) return errors.too_many("ports", ports.size(), kMostPorts);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto at = fmt::format("ports[{}]", i);
    const auto& name = text_at(ports[i], "name");
    if (!name.empty() && !dns1123_label_problem(name).empty())
      errors.invalid(at + ".name", name, dns1123_label_problem(name));
    for (std::size_t j = 0; j < i; ++j)
      if (text_at(ports[j], "name") == name) errors.duplicate(at + ".name", name);
    validate_choice(member(ports[i], "protocol"), at + ".protocol", {"SCTP", "TCP", "UDP"}, errors);
  }
}

void validate_endpoint_slice_change(const json& object, const json& old, FieldErrors& errors) {
  validate_immutable(member(object, "addressType"), member(old, "addressType"), "addressType", errors);
}

void fill_in_network_policy(json& object) {
  auto& spec = object["spec"];
  if (list_at(spec, "policyTypes").empty()) {
    spec["policyTypes"] = json::array({"Ingress"});
    if (!list_at(spec, "egress").empty()) spec["policyTypes"].push_back("Egress");
  }
  for (const auto* const direction : {"ingress", "egress"})
    if (spec.contains(direction))
      for (auto& rule : spec[direction])
        if (rule.contains("ports"))
          for (auto& port : rule["ports"]) put_default(port, "protocol", "TCP");
}

void validate_network_policy(const json& object, FieldErrors& errors) {
  const auto& spec = member(object, "spec");
  validate_label_selector(member(spec, "podSelector"), "spec.podSelector", errors);
  validate_policy_rules(spec, "ingress", "from", errors);
  validate_policy_rules(spec, "egress", "to", errors);
  const auto& types = list_at(spec, "policyTypes");
  if (types.size() > 2) return errors.invalid("spec.policyTypes", types, "may not specify more than two policyTypes");
  for (std::size_t i = 0; i < types.size(); ++i) {
    validate_choice(types[i], fmt::format("spec.policyTypes[{}]", i), {"Egress", "Ingress"}, errors);
  }
}

void validate_ingress(const json& object, FieldErrors& errors) {
  const auto& spec = member(object, "spec");
  const auto& rules = list_at(spec, "rules");
  const auto& backend = member(spec, "defaultBackend");
  if (rules.empty() && backend.is_null()) {
    errors.invalid("spec", rules, "either `defaultBackend` or `rules` must be specified");
  }
  if (!backend.is_null()) validate_backend(backend, "spec.defaultBackend", errors);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto at = fmt::format("spec.rules[{}]", i);
    validate_host(text_at(rules[i], "host"), at + ".host", errors);
    const auto& http = member(rules[i], "http");
    if (http.is_null()) continue;
    const auto& paths = list_at(http, "paths");
    if (paths.empty()) errors.required(at + ".http.paths");
    for (std::size_t j = 0; j < paths.size(); ++j)
      validate_ingress_path(paths[j], fmt::format("{}.http.paths[{}]", at, j), errors);
  }
  if (const auto& name = text_at(spec, "ingressClassName"); !name.empty() && !dns1123_subdomain_problem(name).empty()) {
    errors.invalid("spec.ingressClassName", name, dns1123_subdomain_problem(name));
  }
}

void validate_ingress_class(const json& object, FieldErrors& errors) {
  const auto& controller = text_at(object, "spec", "controller");
  if (controller.empty()) return errors.required("spec.controller");
  if (controller.size() > 250) errors.too_long("spec.controller", 250);
  if (controller.find('/') == std::string::npos) {
    errors.invalid("spec.controller", controller, "must be a domain-prefixed path (such as \"acme.io/foo\")");
  }
}

void validate_ingress_class_change(const json& object, const json& old, FieldErrors& errors) {
  validate_immutable(member(object, "spec", "controller"), member(old, "spec", "controller"), "spec.controller",
                     errors);
}

}  // namespace knetsim::kube
