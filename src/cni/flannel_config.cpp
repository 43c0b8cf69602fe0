#include "flannel_config.h"

#include <fmt/format.h>

#include "bridge_config.h"
#include "knetsim/sys/error.h"

namespace knetsim::cni {

using nlohmann::json;

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
