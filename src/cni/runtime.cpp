#include "knetsim/cni/runtime.h"

#include <fmt/format.h>

#include <utility>

#include "cache.h"
#include "duplicate.h"
#include "invocation.h"
#include "knetsim/netlink/link.h"

namespace knetsim::cni {

using nlohmann::json;

namespace {

Cache cache_of(const RuntimeOptions& options) { return Cache(options.directory / "cni" / "cache"); }

std::string type_of(const json& plugin) { return plugin.at("type").get<std::string>(); }

// What plugin `index` gets on its stdin (CNI 1.0.0, section 3, "Deriving execution configuration").
json execution_config(const NetworkConfig& config, std::size_t index, const json& previous) {
  auto derived = config.plugins[index];
  derived["name"] = config.name;
  derived["cniVersion"] = config.cni_version;
  if (!previous.is_null()) derived["prevResult"] = previous;
  return derived;
}

bool before_0_4(const std::string& version) { return version.starts_with("0.3"); }

// Every plugin gets its chance, whatever those before it answered; the first refusal is the one that is told.
void run_del(const NetNs& worker, const RuntimeOptions& options, const Attachment& attachment,
             const NetworkConfig& config, const json& result) {
  std::exception_ptr first;
  for (auto index = config.plugins.size(); index-- > 0;) {
    try {
      const auto previous = before_0_4(config.cni_version) ? json() : result;
      invoke(worker, options, Verb::del, attachment, type_of(config.plugins[index]),
             execution_config(config, index, previous));
    } catch (const Error&) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
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
  const auto cache = cache_of(options_);
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
    for (std::size_t index = 0; index < config.plugins.size(); ++index) {
      type = type_of(config.plugins[index]);
      result = invoke(worker_, options_, Verb::add, attachment, type, execution_config(config, index, result));
    }
    auto parsed = parse_result(result.dump());
    cache.store(config.name, {.flavour = "real",
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
  const auto entry = cache_of(options_).load(network, container_id, ifname);
  if (!entry)
    throw make_error(options_.node, Verb::check, {.container_id = container_id, .netns = {}, .ifname = ifname},
                     "network " + network, {.code = kUnknownContainer, .message = "it isn't attached there"});
  const auto config = parse_network_config(entry->config.dump());
  if (config.disable_check) return;
  if (before_0_4(config.cni_version))
    throw make_error(options_.node, Verb::check, entry->attachment, "network " + network,
                     {.code = kIncompatibleVersion, .message = "CHECK isn't part of CNI " + config.cni_version},
                     "use cniVersion 0.4.0 or later");
  for (std::size_t index = 0; index < config.plugins.size(); ++index)
    invoke(worker_, options_, Verb::check, entry->attachment, type_of(config.plugins[index]),
           execution_config(config, index, entry->result));
}

void Runtime::del(const std::string& container_id, const std::string& network, const std::string& ifname) {
  validate({.container_id = container_id, .netns = {}, .ifname = ifname});
  const auto cache = cache_of(options_);
  const auto entry = cache.load(network, container_id, ifname);
  if (!entry) return;
  run_del(worker_, options_, entry->attachment, parse_network_config(entry->config.dump()), entry->result);
  cache.remove(network, container_id, ifname);
}

void Runtime::del(const Attachment& attachment, const NetworkConfig& config) {
  validate(attachment);
  const auto cache = cache_of(options_);
  if (cache.load(config.name, attachment.container_id, attachment.ifname))
    del(attachment.container_id, config.name, attachment.ifname);
  else
    run_del(worker_, options_, attachment, config, json());
}

std::vector<std::string> Runtime::versions(const std::string& type) {
  const Attachment none{.container_id = "none", .netns = "none"};
  const auto answer =
      invoke(worker_, options_, Verb::version, none, type, {{"cniVersion", supported_versions().back()}});
  try {
    return answer.at("supportedVersions").get<std::vector<std::string>>();
  } catch (const json::exception& error) {
    throw make_error(options_.node, Verb::version, none, "the plugin " + type,
                     {.code = kUndecodable, .message = error.what()});
  }
}

}  // namespace knetsim::cni
