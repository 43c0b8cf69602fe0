#include "plugin_config.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::cni {

using nlohmann::json;

namespace {

InputError refusal(std::string_view where, const std::string& answer) {
  return InputError(describe({.tried = fmt::format("use {}", where),
                              .answer = answer,
                              .remedy = "start a flannel daemon on this worker and wait for that file"}));
}

template <typename T>
const T& require(const std::optional<T>& value, std::string_view key, std::string_view where) {
  if (!value) throw refusal(where, fmt::format("{} is missing", key));
  return *value;
}

/// The "ipam" of flannel's delegate: what the config has in it, and ranges and routes of the lease.
json lease_ipam(const PodLease& lease, json ipam) {
  if (!ipam.is_object()) ipam = json::object();
  if (!ipam.contains("type")) ipam["type"] = "host-local";
  auto& routes = ipam["routes"];
  ipam["ranges"] = json::array();
  for (const auto& subnet : lease.subnets) ipam["ranges"].push_back({{{"subnet", to_string(subnet)}}});
  for (const auto& network : lease.networks) routes.push_back({{"dst", to_string(network)}});
  return ipam;
}

}  // namespace

PodLease pod_lease_of(const flannel::SubnetEnv& env, std::string_view where) {
  PodLease lease{.networks = env.networks, .subnets = {}};
  lease.networks.insert(lease.networks.end(), env.ipv6_networks.begin(), env.ipv6_networks.end());
  for (const auto& subnet : {env.subnet, env.ipv6_subnet})
    if (subnet) lease.subnets.push_back(canonical(*subnet));
  // The real plugin asks for one of either family, and not for a pair.
  if (lease.networks.empty()) throw refusal(where, "FLANNEL_NETWORK and FLANNEL_IPV6_NETWORK are missing");
  if (lease.subnets.empty()) throw refusal(where, "FLANNEL_SUBNET and FLANNEL_IPV6_SUBNET are missing");
  lease.mtu = require(env.mtu, "FLANNEL_MTU", where);
  lease.ip_masq = require(env.ip_masq, "FLANNEL_IPMASQ", where);
  return lease;
}

PodLease read_pod_lease(const std::filesystem::path& subnet_env) {
  try {
    return pod_lease_of(flannel::read_subnet_env(subnet_env), subnet_env.string());
  } catch (const SystemError& error) {
    throw refusal(subnet_env.string(), errno_text(error.error()));
  }
}

json to_plugin_config(const BridgeConfig& config, const std::string& type) {
  auto ranges = json::array();
  for (const auto& subnet : config.subnets) ranges.push_back({{{"subnet", to_string(canonical(subnet))}}});
  auto routes = json::array();
  for (const auto& destination : config.routes) routes.push_back({{"dst", to_string(destination)}});
  json document{{"cniVersion", config.cni_version},
                {"name", config.name},
                {"type", type},
                {"bridge", config.bridge},
                {"isGateway", true},
                {"isDefaultGateway", config.is_default_gateway},
                {"hairpinMode", config.hairpin},
                {"ipMasq", false},
                {"ipam",
                 {{"type", "host-local"},
                  {"ranges", std::move(ranges)},
                  {"routes", std::move(routes)},
                  {"dataDir", config.allocations.string()}}}};
  if (config.mtu != 0) document["mtu"] = config.mtu;
  return document;
}

BridgeConfig parse_plugin_config(json config) {
  const JsonDocument document{.value = std::move(config), .source = {.file = "the cached config"}};
  const JsonPlace at(document);
  const auto ipam = at["ipam"];
  const auto network = [](const JsonPlace& place) {
    return place.parsed([](const std::string& text) { return parse_network(text); });
  };
  BridgeConfig parsed{
      .name = at["name"].string(),
      .cni_version = at["cniVersion"].string(),
      .bridge = at["bridge"].string(),
      .is_default_gateway = at["isDefaultGateway"].boolean(),
      .hairpin = at["hairpinMode"].boolean(),
      .subnets = ipam["ranges"].each([&](const JsonPlace& range) { return network(range[0]["subnet"]); }),
      .routes = ipam["routes"].each([&](const JsonPlace& route) { return network(route["dst"]); }),
      .allocations = ipam["dataDir"].string()};
  at.take("mtu", parsed.mtu, [](const JsonPlace& mtu) { return mtu.integer<unsigned>(); });
  return parsed;
}

json render_delegate(const json& config, const PodLease& lease) {
  // As with Go's decoder, null is as good as nothing.
  const auto object = [&](const char* key) {
    const auto found = config.find(key);
    return found == config.end() || found->is_null() ? json::object() : *found;
  };
  auto delegate = object("delegate");
  if (!delegate.is_object()) throw InputError("'delegate' must be a dictionary");
  if (delegate.contains("type") && !delegate["type"].is_string())
    throw InputError("'delegate' dictionary, if present, must have (string) 'type' field");
  for (const auto* set_by_us : {"name", "ipam"})
    if (delegate.contains(set_by_us))
      throw InputError(
          fmt::format("'delegate' dictionary must not have '{}' field, it'll be set by flannel", set_by_us));

  const auto unless_set = [&](const char* key, const json& value) {
    if (!delegate.contains(key)) delegate[key] = value;
  };
  delegate["name"] = config.at("name");
  unless_set("type", "bridge");
  unless_set("ipMasq", !lease.ip_masq);
  unless_set("mtu", lease.mtu);
  if (delegate["type"] == "bridge") unless_set("isGateway", true);
  for (const auto* handed_on : {"cniVersion", "runtimeConfig"})
    if (config.contains(handed_on) && !config[handed_on].is_null()) delegate[handed_on] = config[handed_on];
  auto ipam = object("ipam");
  if (!ipam.is_object()) throw InputError("'ipam' must be a dictionary");
  if (ipam.contains("routes") && !ipam["routes"].is_array() && !ipam["routes"].is_null())
    throw InputError("failed to parse ipam.routes: it isn't a list");
  delegate["ipam"] = lease_ipam(lease, std::move(ipam));
  return delegate;
}

json with_gateways(json result) {
  const auto is_v6 = [](const std::string& text) { return text.find(':') != std::string::npos; };
  for (auto& route : result["routes"]) {
    if (route.contains("gw")) continue;
    for (const auto& ip : result["ips"])
      if (ip.contains("gateway") && is_v6(ip.at("address")) == is_v6(route.at("dst"))) route["gw"] = ip["gateway"];
  }
  return result;
}

}  // namespace knetsim::cni
