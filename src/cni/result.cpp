#include "knetsim/cni/result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "knetsim/cni/specification.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

std::optional<Address> gateway(const JsonPlace& at) {
  if (at.string().empty()) return std::nullopt;
  return at.parsed(parse_address);
}

std::uint32_t number(const JsonPlace& at) { return at.integer<std::uint32_t>(); }

ResultRoute read_route(const JsonPlace& at) {
  ResultRoute route{.destination = at["dst"].parsed(parse_network)};
  at.take("gw", route.gateway, gateway);
  at.take("mtu", route.mtu, number);
  at.take("advmss", route.advmss, number);
  at.take("priority", route.priority, number);
  at.take("table", route.table, number);
  at.take("scope", route.scope, number);
  return route;
}

Dns read_dns(const JsonPlace& at) {
  if (!at.value().is_object()) return {};
  Dns dns{.nameservers = at.each("nameservers", &JsonPlace::string),
          .domain = {},
          .search = at.each("search", &JsonPlace::string),
          .options = at.each("options", &JsonPlace::string)};
  at.take("domain", dns.domain, &JsonPlace::string);
  return dns;
}

// Before 0.3.0: one address of a family, which has its routes in it.
void read_families(const JsonPlace& at, Result& result) {
  for (const auto* key : {"ip4", "ip6"}) {
    const auto family = at.find(key);
    if (!family) continue;
    auto& ip = result.ips.emplace_back(IpConfig{.address = (*family)["ip"].parsed(parse_network)});
    family->take("gateway", ip.gateway, gateway);
    for (const auto& route : family->elements("routes")) result.routes.push_back(read_route(route));
  }
}

Interface read_interface(const JsonPlace& at) {
  Interface interface { .name = at["name"].string() };
  at.take("mac", interface.mac, &JsonPlace::string);
  at.take("sandbox", interface.sandbox, &JsonPlace::string);
  at.take("mtu", interface.mtu, number);
  at.take("socketPath", interface.socket_path, &JsonPlace::string);
  at.take("pciID", interface.pci_id, &JsonPlace::string);
  return interface;
}

IpConfig read_ip(const JsonPlace& at) {
  IpConfig ip{.address = at["address"].parsed(parse_network)};
  at.take("gateway", ip.gateway, gateway);
  at.take("interface", ip.interface, number);
  return ip;
}

Result read(const JsonPlace& at, std::string_view asked) {
  Result result;
  at.take("cniVersion", result.cni_version, &JsonPlace::string);
  if (result.cni_version.empty()) result.cni_version = asked;
  if (!is_supported(result.cni_version))
    at.refuse_member("cniVersion", fmt::format("its cniVersion is {}, not one of {}", excerpt(result.cni_version),
                                               fmt::join(supported_versions(), ", ")));
  if (is_since(result.cni_version, kInterfacesSince)) {
    result.interfaces = at.each("interfaces", read_interface);
    result.ips = at.each("ips", read_ip);
    result.routes = at.each("routes", read_route);
    for (std::size_t i = 0; i < result.ips.size(); ++i)
      if (result.ips[i].interface >= result.interfaces.size())
        at["ips"][i]["interface"].refuse(fmt::format("there are {} interfaces", result.interfaces.size()));
  } else {
    read_families(at, result);
  }
  at.take("dns", result.dns, read_dns);
  return result;
}

json to_object(const Dns& dns) {
  auto object = json::object();
  if (!dns.nameservers.empty()) object["nameservers"] = dns.nameservers;
  if (!dns.domain.empty()) object["domain"] = dns.domain;
  if (!dns.search.empty()) object["search"] = dns.search;
  if (!dns.options.empty()) object["options"] = dns.options;
  return object;
}

json to_object(const ResultRoute& route, const std::string& version) {
  json item{{"dst", knetsim::to_string(route.destination)}};
  if (route.gateway) item["gw"] = route.gateway->to_string();
  if (!is_since(version, kInterfacesSince)) return item;
  // The reference implementation keeps these in results of earlier versions too.
  const std::pair<const char*, const std::optional<std::uint32_t>&> numbers[] = {{"mtu", route.mtu},
                                                                                 {"advmss", route.advmss},
                                                                                 {"priority", route.priority},
                                                                                 {"table", route.table},
                                                                                 {"scope", route.scope}};
  for (const auto& [key, number] : numbers)
    if (number) item[key] = *number;
  return item;
}

void write_families(const Result& result, json& document) {
  for (const auto& ip : result.ips) {
    const auto* key = is_v6(ip.address) ? "ip6" : "ip4";
    if (document.contains(key)) continue;
    auto& family = document[key] = {{"ip", knetsim::to_string(ip.address)}};
    if (ip.gateway) family["gateway"] = ip.gateway->to_string();
    for (const auto& route : result.routes)
      if (is_v6(route.destination) == is_v6(ip.address))
        family["routes"].push_back(to_object(route, result.cni_version));
  }
  if (result.ips.empty())
    throw InputError(fmt::format("a CNI result of version {} has an address; this one has none", result.cni_version));
}

void write_lists(const Result& result, json& document) {
  for (const auto& interface : result.interfaces) {
    json item{{"name", interface.name}};
    if (!interface.mac.empty()) item["mac"] = interface.mac;
    if (!interface.sandbox.empty()) item["sandbox"] = interface.sandbox;
    if (is_since(result.cni_version, kNoFamilySince)) {
      if (interface.mtu) item["mtu"] = *interface.mtu;
      if (!interface.socket_path.empty()) item["socketPath"] = interface.socket_path;
      if (!interface.pci_id.empty()) item["pciID"] = interface.pci_id;
    }
    document["interfaces"].push_back(std::move(item));
  }
  for (const auto& ip : result.ips) {
    json item{{"address", knetsim::to_string(ip.address)}};
    if (!is_since(result.cni_version, kNoFamilySince)) item["version"] = is_v6(ip.address) ? "6" : "4";
    if (ip.gateway) item["gateway"] = ip.gateway->to_string();
    if (ip.interface) item["interface"] = *ip.interface;
    document["ips"].push_back(std::move(item));
  }
  for (const auto& route : result.routes) document["routes"].push_back(to_object(route, result.cni_version));
}

}  // namespace

Result parse_result(std::string_view text, std::string_view asked) {
  const auto document = read_json({.file = "the CNI result", .text = std::string(text)}, {.null_is_absent = true});
  return read(JsonPlace(document), asked);
}

std::string to_json(const Result& result) {
  json document{{"cniVersion", result.cni_version}, {"dns", to_object(result.dns)}};
  if (is_since(result.cni_version, kInterfacesSince))
    write_lists(result, document);
  else
    write_families(result, document);
  return document.dump(2);
}

std::vector<Address> Result::addresses() const {
  std::vector<Address> own;
  for (const auto& ip : ips)
    if (!ip.interface || !interfaces[*ip.interface].sandbox.empty()) own.push_back(address_of(ip.address));
  return own;
}

std::string Result::host_interface(std::string_view bridge) const {
  for (const auto& interface : interfaces)
    if (interface.sandbox.empty() && interface.name != bridge) return interface.name;
  return {};
}

}  // namespace knetsim::cni
