#include "bridge_config.h"

namespace knetsim::cni {

using nlohmann::json;

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

BridgeConfig parse_plugin_config(const json& config) {
  const auto& ipam = config.at("ipam");
  BridgeConfig parsed{.name = config.at("name"),
                      .cni_version = config.at("cniVersion"),
                      .bridge = config.at("bridge"),
                      .mtu = config.value("mtu", 0U),
                      .is_default_gateway = config.at("isDefaultGateway"),
                      .hairpin = config.at("hairpinMode"),
                      .subnets = {},
                      .routes = {},
                      .allocations = ipam.at("dataDir").get<std::string>()};
  for (const auto& range : ipam.at("ranges"))
    parsed.subnets.push_back(parse_network(range.at(0).at("subnet").get<std::string>()));
  for (const auto& route : ipam.at("routes"))
    parsed.routes.push_back(parse_network(route.at("dst").get<std::string>()));
  return parsed;
}

json lease_ipam(const PodLease& lease, json ipam) {
  if (!ipam.is_object()) ipam = json::object();
  if (!ipam.contains("type")) ipam["type"] = "host-local";
  auto& routes = ipam["routes"];
  ipam["ranges"] = json::array();
  for (const auto& subnet : lease.subnets) ipam["ranges"].push_back({{{"subnet", to_string(subnet)}}});
  for (const auto& network : lease.networks) routes.push_back({{"dst", to_string(network)}});
  return ipam;
}

}  // namespace knetsim::cni
