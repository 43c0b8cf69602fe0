#include "knetsim/cni/result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "knetsim/cni/version.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

const json& list(const json& document, const char* key) {
  static const json none = json::array();
  const auto found = document.find(key);
  if (found == document.end() || found->is_null()) return none;
  if (!found->is_array()) throw InputError(fmt::format("\"{}\" isn't an array", key));
  return *found;
}

std::string text_or_nothing(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? std::string{} : found->get<std::string>();
}

std::optional<Address> optional_address(const json& object, const char* key) {
  const auto text = text_or_nothing(object, key);
  if (text.empty()) return std::nullopt;
  return parse_address(text);
}

std::optional<std::uint32_t> optional_number(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_number_unsigned() || *found > UINT32_MAX)
    throw InputError(fmt::format("\"{}\": {} isn't a number from 0 to {}", key, json_excerpt(*found), UINT32_MAX));
  return found->get<std::uint32_t>();
}

ResultRoute read_route(const json& item) {
  return {.destination = parse_network(item.at("dst").get<std::string>()),
          .gateway = optional_address(item, "gw"),
          .mtu = optional_number(item, "mtu"),
          .advmss = optional_number(item, "advmss"),
          .priority = optional_number(item, "priority"),
          .table = optional_number(item, "table"),
          .scope = optional_number(item, "scope")};
}

void read_dns(const json& document, Dns& dns) {
  const auto found = document.find("dns");
  if (found == document.end() || !found->is_object()) return;
  const auto texts = [&](const char* key) {
    std::vector<std::string> result;
    for (const auto& item : list(*found, key)) result.push_back(item.get<std::string>());
    return result;
  };
  dns = {.nameservers = texts("nameservers"),
         .domain = text_or_nothing(*found, "domain"),
         .search = texts("search"),
         .options = texts("options")};
}

// Before 0.3.0: one address of a family, which has its routes in it.
void read_families(const json& document, Result& result) {
  for (const auto* key : {"ip4", "ip6"}) {
    const auto found = document.find(key);
    if (found == document.end() || found->is_null()) continue;
    result.ips.push_back({.address = parse_network(found->at("ip").get<std::string>()),
                          .gateway = optional_address(*found, "gateway"),
                          .interface = {}});
    for (const auto& item : list(*found, "routes")) result.routes.push_back(read_route(item));
  }
}

void read_lists(const json& document, Result& result) {
  for (const auto& item : list(document, "interfaces"))
    result.interfaces.push_back({.name = item.at("name").get<std::string>(),
                                 .mac = text_or_nothing(item, "mac"),
                                 .sandbox = text_or_nothing(item, "sandbox"),
                                 .mtu = optional_number(item, "mtu"),
                                 .socket_path = text_or_nothing(item, "socketPath"),
                                 .pci_id = text_or_nothing(item, "pciID")});
  for (const auto& item : list(document, "ips")) {
    IpConfig ip{.address = parse_network(item.at("address").get<std::string>()),
                .gateway = optional_address(item, "gateway"),
                .interface = optional_number(item, "interface")};
    if (ip.interface && *ip.interface >= result.interfaces.size())
      throw InputError(fmt::format("an address names interface {} of {}", *ip.interface, result.interfaces.size()));
    result.ips.push_back(ip);
  }
  for (const auto& item : list(document, "routes")) result.routes.push_back(read_route(item));
}

Result read(const json& document, std::string_view asked) {
  if (!document.is_object()) throw InputError("it isn't a JSON object");
  Result result;
  result.cni_version = text_or_nothing(document, "cniVersion");
  if (result.cni_version.empty()) result.cni_version = asked;
  if (!is_supported(result.cni_version))
    throw InputError(fmt::format("its cniVersion is {}, not one of {}", excerpt(result.cni_version),
                                 fmt::join(supported_versions(), ", ")));
  if (is_since(result.cni_version, kInterfacesSince))
    read_lists(document, result);
  else
    read_families(document, result);
  read_dns(document, result.dns);
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
  try {
    return read(parse_json(text), asked);
  } catch (const json::exception& error) {
    throw InputError(fmt::format("can't read the CNI result: {}", error.what()));
  } catch (const InputError& error) {
    throw InputError(fmt::format("can't read the CNI result: {}", error.what()));
  }
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
