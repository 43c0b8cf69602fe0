#include "knetsim/cni/result.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

const json& list(const json& document, const char* key) {
  static const json none = json::array();
  const auto found = document.find(key);
  return found == document.end() || found->is_null() ? none : *found;
}

std::optional<Address> optional_address(const json& object, const char* key) {
  const auto text = object.value(key, "");
  if (text.empty()) return std::nullopt;
  return parse_address(text);
}

Result read(const json& document) {
  Result result;
  result.cni_version = document.value("cniVersion", "");
  if (result.cni_version.starts_with("0.1") || result.cni_version.starts_with("0.2"))
    throw InputError("results of version " + result.cni_version + " have no \"interfaces\"");
  for (const auto& item : list(document, "interfaces"))
    result.interfaces.push_back({.name = item.at("name").get<std::string>(),
                                 .mac = item.value("mac", ""),
                                 .sandbox = item.value("sandbox", "")});
  for (const auto& item : list(document, "ips")) {
    IpConfig ip{.address = parse_network(item.at("address").get<std::string>()),
                .gateway = optional_address(item, "gateway"),
                .interface = {}};
    if (const auto found = item.find("interface"); found != item.end() && !found->is_null()) {
      ip.interface = found->get<std::size_t>();
      if (*ip.interface >= result.interfaces.size())
        throw InputError(fmt::format("an address names interface {} of {}", *ip.interface, result.interfaces.size()));
    }
    result.ips.push_back(ip);
  }
  for (const auto& item : list(document, "routes"))
    result.routes.push_back(
        {.destination = parse_network(item.at("dst").get<std::string>()), .gateway = optional_address(item, "gw")});
  if (const auto dns = document.find("dns"); dns != document.end() && dns->is_object()) {
    result.dns.nameservers = dns->value("nameservers", std::vector<std::string>{});
    result.dns.domain = dns->value("domain", "");
    result.dns.search = dns->value("search", std::vector<std::string>{});
    result.dns.options = dns->value("options", std::vector<std::string>{});
  }
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

}  // namespace

Result parse_result(std::string_view text) {
  try {
    const auto document = json::parse(text);
    if (!document.is_object()) throw InputError("it isn't a JSON object");
    return read(document);
  } catch (const json::exception& error) {
    throw InputError(fmt::format("can't read the CNI result: {}", error.what()));
  } catch (const InputError& error) {
    throw InputError(fmt::format("can't read the CNI result: {}", error.what()));
  }
}

std::string to_json(const Result& result) {
  json document{{"cniVersion", result.cni_version}, {"dns", to_object(result.dns)}};
  for (const auto& interface : result.interfaces) {
    json item{{"name", interface.name}};
    if (!interface.mac.empty()) item["mac"] = interface.mac;
    if (!interface.sandbox.empty()) item["sandbox"] = interface.sandbox;
    document["interfaces"].push_back(std::move(item));
  }
  for (const auto& ip : result.ips) {
    json item{{"address", knetsim::to_string(ip.address)}};
    if (result.cni_version.starts_with("0.")) item["version"] = is_v6(ip.address) ? "6" : "4";
    if (ip.gateway) item["gateway"] = ip.gateway->to_string();
    if (ip.interface) item["interface"] = *ip.interface;
    document["ips"].push_back(std::move(item));
  }
  for (const auto& route : result.routes) {
    json item{{"dst", knetsim::to_string(route.destination)}};
    if (route.gateway) item["gw"] = route.gateway->to_string();
    document["routes"].push_back(std::move(item));
  }
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
