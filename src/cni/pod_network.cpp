#include "knetsim/cni/pod_network.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cache.h"
#include "host_local.h"
#include "invocation.h"
#include "knetsim/cni/specification.h"
#include "knetsim/netlink/monitor.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/sysctl.h"
#include "knetsim/sys/text.h"
#include "plugin_config.h"

namespace knetsim::cni {

using nlohmann::json;

namespace {

std::filesystem::path allocations(const PodNetworkOptions& options) { return options.directory / "cni" / "networks"; }

BridgeConfig bridge_config(const PodNetworkOptions& options, const PodLease& lease) {
  return {.name = options.name,
          .cni_version = options.cni_version,
          .bridge = options.bridge,
          .mtu = lease.mtu,
          .hairpin = options.hairpin,
          .subnets = lease.subnets,
          .routes = lease.networks,
          .allocations = allocations(options)};
}

// To the pods of all workers; where the worker's subnet is all there is, its address brings that route.
json pod_routes(const PodLease& lease) {
  auto routes = json::array();
  for (const auto& network : lease.networks)
    if (std::find(lease.subnets.begin(), lease.subnets.end(), network) == lease.subnets.end())
      routes.push_back({{"dst", knetsim::to_string(network)}});
  for (const auto& subnet : lease.subnets) routes.push_back({{"dst", is_v6(subnet) ? "::/0" : "0.0.0.0/0"}});
  return routes;
}

// Of a plugin that isn't `bridge`, nobody knows whether it has an isDefaultGateway.
json single_plugin(const PodNetworkOptions& options, const PodLease& lease) {
  auto config = to_plugin_config(bridge_config(options, lease), options.plugins.type);
  if (options.plugins.type != "bridge") config["ipam"]["routes"] = pod_routes(lease);
  return config;
}

// What workers that share a file system must not share, and what flannel alone knows; the rest is the user's to say.
json for_this_worker(json plugin, const PodNetworkOptions& options, const PodLease& lease) {
  const auto unless_set = [](json& object, const char* key, const json& value) {
    if (!object.contains(key)) object[key] = value;
  };
  if (plugin["type"] == "flannel") {
    unless_set(plugin, "subnetFile", options.subnet_file.string());
    unless_set(plugin, "dataDir", (options.directory / "cni" / "flannel").string());
    unless_set(plugin, "ipam", json::object());
    if (plugin["ipam"].is_object()) unless_set(plugin["ipam"], "dataDir", allocations(options).string());
    return plugin;
  }
  const auto ipam = plugin.find("ipam");
  if (ipam == plugin.end() || !ipam->is_object() || ipam->value("type", json()) != "host-local") return plugin;
  unless_set(*ipam, "dataDir", allocations(options).string());
  if (ipam->contains("subnet") || ipam->contains("ranges")) return plugin;
  for (const auto& subnet : lease.subnets) (*ipam)["ranges"].push_back({{{"subnet", knetsim::to_string(subnet)}}});
  unless_set(*ipam, "routes", pod_routes(lease));
  unless_set(plugin, "mtu", lease.mtu);
  return plugin;
}

// The name of the bridge that a configuration of the user's makes; that of the real plugins if it doesn't say.
std::string bridge_of(const NetworkConfig& conf, const std::string& otherwise) {
  for (const auto& plugin : conf.plugins)
    for (const auto& object : {plugin, plugin.value("delegate", json())})
      if (object.is_object() && object.contains("bridge") && object["bridge"].is_string()) return object["bridge"];
  return otherwise;
}

PodNetworkOptions as_conf_says(PodNetworkOptions options) {
  if (const auto& conf = options.plugins.conf) {
    options.name = conf->name;
    options.cni_version = conf->cni_version;
    options.bridge = bridge_of(*conf, options.bridge);
  }
  return options;
}

json flannel_config(const PodNetworkOptions& options) {
  return {
      {"type", "flannel"},
      {"subnetFile", options.subnet_file.string()},
      {"dataDir", (options.directory / "cni" / "flannel").string()},
      {"ipam", {{"dataDir", allocations(options).string()}}},
      {"delegate",
       {{"bridge", options.bridge}, {"isDefaultGateway", true}, {"hairpinMode", options.hairpin}, {"ipMasq", false}}}};
}

// As IPv4 does it by itself: a link that goes down and comes back still has its addresses.
void keep_v6_addresses(const NetNs& ns) {
  ns.run([] { write_sysctl("net.ipv6.conf.all.keep_addr_on_down", "1"); });
}

// Leases are unique, so duplicate address detection (RFC 4862) would find nothing, yet keep an IPv6 gateway silent for
// the first seconds. An interface's own setting counts when it is created: hence "default".
void prepare_v6(const NetNs& worker) {
  worker.run([] { write_sysctl("net.ipv6.conf.default.accept_dad", "0"); });
  keep_v6_addresses(worker);
}

}  // namespace

PodNetwork::PodNetwork(const NetNs& worker, PodNetworkOptions options)
    : worker_(duplicate(worker)),
      options_(as_conf_says(std::move(options))),
      runtime_(worker, {.node = options_.node,
                        .directory = options_.directory,
                        .search_path = options_.plugins.search_path,
                        .timeout = options_.timeout}),
      builtin_(worker, options_.node) {}

NetworkConfig PodNetwork::config() const {
  if (options_.plugins.conf) {
    auto config = *options_.plugins.conf;
    const auto lease = read_pod_lease(options_.subnet_file);
    for (auto& plugin : config.plugins) plugin = for_this_worker(std::move(plugin), options_, lease);
    return config;
  }
  NetworkConfig config{.name = options_.name, .cni_version = options_.cni_version, .plugins = {}};
  config.plugins.push_back(options_.plugins.type == "flannel"
                               ? flannel_config(options_)
                               : single_plugin(options_, read_pod_lease(options_.subnet_file)));
  return config;
}

// A wish that no plugin hears of would be granted by nobody.
void PodNetwork::require_takers(const Attachment& attachment) const {
  for (const auto& [capability, value] : attachment.capabilities.items()) {
    bool taken = false;
    if (const auto& conf = options_.plugins.conf)
      for (const auto& plugin : conf->plugins) taken = taken || takes(plugin, capability);
    if (!taken)
      throw InputError(
          describe({.where = options_.node,
                    .tried = fmt::format("give container {} {}", attachment.container_id, excerpt(capability)),
                    .answer = "no plugin of its network takes that",
                    .remedy = fmt::format(
                        "use a CNI configuration with a plugin of which it says \"capabilities\": {{{}: true}}",
                        json_excerpt(capability))}));
  }
}

Result PodNetwork::attach(const Attachment& attachment) {
  validate(attachment);
  require_takers(attachment);
  const auto lease = read_pod_lease(options_.subnet_file);
  if (std::any_of(lease.subnets.begin(), lease.subnets.end(), [](const auto& subnet) { return is_v6(subnet); }))
    prepare_v6(worker_);
  auto result = [&] {
    // The real plugin reports the new bridge's MAC before it fixes it: a port that another ADD puts in meanwhile can
    // change it, and CHECK would fail for ever.
    const auto turn = lock_file(options_.directory / "cni" / "lock");
    return options_.plugins.flavour == parts::Flavour::real ? runtime_.add(attachment, config())
                                                            : add_builtin(attachment, bridge_config(options_, lease));
  }();
  try {
    if (std::any_of(result.ips.begin(), result.ips.end(), [](const auto& ip) { return is_v6(ip.address); }))
      keep_v6_addresses(NetNs::open(attachment.netns));
    wait_for_gateways(result);
  } catch (...) {
    detach(attachment.container_id, attachment.ifname);
    throw;
  }
  return result;
}

Result PodNetwork::add_builtin(const Attachment& attachment, const BridgeConfig& config) {
  const Cache cache(options_.directory);
  if (cache.load(options_.name, attachment.container_id, attachment.ifname))
    throw make_error(options_.node, Verb::add, attachment, "network " + options_.name,
                     {.code = kGenericFailure, .message = "it is attached already"}, "delete it there first");
  auto result = builtin_.add(attachment, config);
  try {
    // What the version asked for has no word for is left out, as a real plugin leaves it out.
    result = parse_result(to_json(result));
    cache.store(options_.name, {.flavour = parts::Flavour::builtin,
                                .attachment = attachment,
                                .config = to_plugin_config(config),
                                .result = json::parse(to_json(result))});
  } catch (...) {
    builtin_.del(attachment, config);
    throw;
  }
  return result;
}

// A tentative IPv6 gateway doesn't answer, and a pod asks again only after a second. A plugin of the user's own may
// have no bridge.
void PodNetwork::wait_for_gateways(const Result& result) const {
  const bool on_bridge = !result.interfaces.empty() && result.interfaces.front().name == options_.bridge;
  if (!on_bridge) return;
  for (const auto& ip : result.ips)
    if (ip.gateway && ip.gateway->is_v6()) netlink::wait_for_address(worker_, options_.bridge, *ip.gateway);
}

void PodNetwork::check(const std::string& container_id, const std::string& ifname) {
  validate({.container_id = container_id, .netns = {}, .ifname = ifname});
  const auto entry = Cache(options_.directory).load(options_.name, container_id, ifname);
  if (!entry || entry->flavour != parts::Flavour::builtin) {
    runtime_.check(container_id, options_.name, ifname);
    return;
  }
  const auto config = parse_plugin_config(entry->config);
  if (!is_since(config.cni_version, kCheckSince))
    throw no_check(options_.node, entry->attachment, options_.name, config.cni_version);
  builtin_.check(entry->attachment, config, parse_result(entry->result.dump()));
}

void PodNetwork::status() {
  try {
    read_pod_lease(options_.subnet_file);
  } catch (const InputError& error) {
    throw make_error(options_.node, Verb::status, {}, "network " + options_.name,
                     {.code = kNotAvailable, .message = error.what()});
  }
  if (options_.plugins.flavour == parts::Flavour::real) runtime_.status(config());
}

void PodNetwork::gc(const std::vector<AttachmentId>& valid) {
  FirstFailure failure;
  for (const auto& id : Cache(options_.directory).list(options_.name))
    if (std::find(valid.begin(), valid.end(), id) == valid.end())
      failure.attempt([&] { detach(id.container_id, id.ifname); });
  if (options_.plugins.flavour == parts::Flavour::real) failure.attempt([&] { runtime_.gc(config(), valid); });
  HostLocal(allocations(options_), options_.name).release_all_but(valid);
  failure.rethrow();
}

void PodNetwork::detach(const std::string& container_id, const std::string& ifname) {
  validate({.container_id = container_id, .netns = {}, .ifname = ifname});
  const Cache cache(options_.directory);
  const auto entry = cache.load(options_.name, container_id, ifname);
  if (entry && entry->flavour == parts::Flavour::builtin) {
    builtin_.del(entry->attachment, parse_plugin_config(entry->config));
    cache.remove(options_.name, container_id, ifname);
  } else if (entry) {
    runtime_.del(container_id, options_.name, ifname);
  } else {
    // The cache may have been lost; an address held by nobody must not be lost with it.
    HostLocal(allocations(options_), options_.name).release(container_id, ifname);
  }
}

Result PodNetwork::result(const std::string& container_id, const std::string& ifname) const {
  const auto entry = Cache(options_.directory).load(options_.name, container_id, ifname);
  if (!entry)
    throw make_error(options_.node, Verb::check, {.container_id = container_id, .netns = {}, .ifname = ifname},
                     "network " + options_.name, {.code = kUnknownContainer, .message = "it isn't attached there"});
  return parse_result(entry->result.dump());
}

}  // namespace knetsim::cni
