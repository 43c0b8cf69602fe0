#include "knetsim/cni/runtime.h"

#include <algorithm>

#include "cache.h"
#include "invocation.h"
#include "knetsim/netlink/link.h"
#include "knetsim/sys/json_place.h"

namespace knetsim::cni {

using nlohmann::json;

namespace {

std::string type_of(const json& plugin) { return plugin.at("type").get<std::string>(); }

// What plugin `index` gets on its stdin (CNI 1.1.0, section 3, "Deriving request from plugin configuration").
json execution_config(const NetworkConfig& config, std::size_t index) {
  auto derived = config.plugins[index];
  derived["name"] = config.name;
  derived["cniVersion"] = config.cni_version;
  derived.erase("capabilities");
  return derived;
}

// The same for those verbs that are about an attachment: what of its capabilities this plugin takes, and the result of
// the plugin before (ADD) or of the whole list.
json execution_config(const NetworkConfig& config, std::size_t index, const Attachment& attachment,
                      const json& previous) {
  auto derived = execution_config(config, index);
  if (!previous.is_null()) derived["prevResult"] = previous;
  auto taken = json::object();
  for (const auto& [capability, value] : attachment.capabilities.items())
    if (takes(config.plugins[index], capability)) taken[capability] = value;
  if (!taken.empty()) derived["runtimeConfig"] = std::move(taken);
  return derived;
}

void run_del(const NetNs& worker, const RuntimeOptions& options, const Attachment& attachment,
             const NetworkConfig& config, const json& result) {
  FirstFailure failure;
  const auto previous = is_since(config.cni_version, kCheckSince) ? result : json();
  for (auto index = config.plugins.size(); index-- > 0;)
    failure.attempt([&] {
      invoke(worker, options, Verb::del, attachment, type_of(config.plugins[index]),
             execution_config(config, index, attachment, previous));
    });
  failure.rethrow();
}

// What was there before ADD isn't ADD's to undo.
bool occupied(const Attachment& attachment) {
  try {
    const auto container = NetNs::open(attachment.netns);
    netlink::Socket socket(container);
    return netlink::find_link(socket, attachment.ifname).has_value();
  } catch (const knetsim::Error&) {
    return false;  // the plugin will say it better
  }
}

}  // namespace

Runtime::Runtime(const NetNs& worker, RuntimeOptions options)
    : worker_(duplicate(worker)), options_(std::move(options)) {}

Result Runtime::add(const Attachment& attachment, const NetworkConfig& config) {
  validate(attachment);
  const Cache cache(options_.directory);
  if (cache.load(config.name, attachment.container_id, attachment.ifname))
    throw make_error(options_.node, Verb::add, attachment, "network " + config.name,
                     {.code = kGenericFailure, .message = "it is attached already"}, "delete it there first");
  const bool was_occupied = occupied(attachment);
  json result;
  std::string type;
  const auto undo = [&] {
    try {
      if (!was_occupied) run_del(worker_, options_, attachment, config, json());
    } catch (const std::exception&) {
      // The failure of ADD is the one to tell; that of undoing it mostly has the same cause.
    }
  };
  try {
    Result parsed;
    for (std::size_t index = 0; index < config.plugins.size(); ++index) {
      type = type_of(config.plugins[index]);
      const auto answer =
          invoke(worker_, options_, Verb::add, attachment, type, execution_config(config, index, attachment, result));
      parsed = parse_result(answer.dump(), config.cni_version);
      parsed.cni_version = config.cni_version;
      result = json::parse(to_json(parsed));
    }
    cache.store(config.name, {.flavour = parts::Flavour::real,
                              .attachment = attachment,
                              .config = json::parse(to_json(config)),
                              .result = std::move(result)});
    return parsed;
  } catch (const InputError& error) {
    undo();
    throw make_error(options_.node, Verb::add, attachment, "the plugin " + type,
                     {.code = kUndecodable, .message = error.what()});
  } catch (...) {
    undo();
    throw;
  }
}

void Runtime::check(const std::string& container_id, const std::string& network, const std::string& ifname) {
  validate({.container_id = container_id, .netns = {}, .ifname = ifname});
  const auto entry = Cache(options_.directory).load(network, container_id, ifname);
  if (!entry)
    throw make_error(options_.node, Verb::check, {.container_id = container_id, .netns = {}, .ifname = ifname},
                     "network " + network, {.code = kUnknownContainer, .message = "it isn't attached there"});
  const auto config = parse_network_config(entry->config.dump());
  if (config.disable_check) return;
  if (!is_since(config.cni_version, kCheckSince))
    throw no_check(options_.node, entry->attachment, network, config.cni_version);
  for (std::size_t index = 0; index < config.plugins.size(); ++index)
    invoke(worker_, options_, Verb::check, entry->attachment, type_of(config.plugins[index]),
           execution_config(config, index, entry->attachment, entry->result));
}

void Runtime::del(const std::string& container_id, const std::string& network, const std::string& ifname) {
  validate({.container_id = container_id, .netns = {}, .ifname = ifname});
  const Cache cache(options_.directory);
  const auto entry = cache.load(network, container_id, ifname);
  if (!entry) return;
  run_del(worker_, options_, entry->attachment, parse_network_config(entry->config.dump()), entry->result);
  cache.remove(network, container_id, ifname);
}

void Runtime::del(const Attachment& attachment, const NetworkConfig& config) {
  validate(attachment);
  const Cache cache(options_.directory);
  if (cache.load(config.name, attachment.container_id, attachment.ifname))
    del(attachment.container_id, config.name, attachment.ifname);
  else
    run_del(worker_, options_, attachment, config, json());
}

void Runtime::status(const NetworkConfig& config) {
  if (!is_since(config.cni_version, kStatusSince)) return;
  for (std::size_t index = 0; index < config.plugins.size(); ++index)
    invoke(worker_, options_, Verb::status, {}, type_of(config.plugins[index]), execution_config(config, index));
}

void Runtime::gc(const NetworkConfig& config, const std::vector<AttachmentId>& valid) {
  if (config.disable_gc) return;
  FirstFailure failure;
  for (const auto& id : Cache(options_.directory).list(config.name))
    if (std::find(valid.begin(), valid.end(), id) == valid.end())
      failure.attempt([&] { del(id.container_id, config.name, id.ifname); });
  if (is_since(config.cni_version, kStatusSince)) {
    auto attachments = json::array();
    for (const auto& id : valid) attachments.push_back({{"containerID", id.container_id}, {"ifname", id.ifname}});
    for (std::size_t index = 0; index < config.plugins.size(); ++index) {
      auto derived = execution_config(config, index);
      derived["cni.dev/valid-attachments"] = attachments;
      derived["cni.dev/attachments"] = attachments;  // as the first releases of libcni 1.2 spelt it
      failure.attempt([&] { invoke(worker_, options_, Verb::gc, {}, type_of(config.plugins[index]), derived); });
    }
  }
  failure.rethrow();
}

std::vector<std::string> Runtime::versions(const std::string& type) {
  const Attachment none;
  const JsonDocument answer{
      .value = invoke(worker_, options_, Verb::version, none, type, {{"cniVersion", supported_versions().back()}}),
      .source = {.file = "its answer"}};
  try {
    return JsonPlace(answer)["supportedVersions"].each(&JsonPlace::string);
  } catch (const JsonError& error) {
    throw make_error(options_.node, Verb::version, none, "the plugin " + type,
                     {.code = kUndecodable, .message = error.what()});
  }
}

}  // namespace knetsim::cni
