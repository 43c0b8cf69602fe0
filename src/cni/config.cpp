#include "knetsim/cni/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "knetsim/sys/error.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view pointer, std::string_view answer, std::string_view remedy) {
  throw InputError(describe({.where = {},
                             .tried = "use the CNI network configuration",
                             .answer = fmt::format("{}: {}", pointer.empty() ? "/" : pointer, answer),
                             .remedy = std::string(remedy)}));
}

const json& member(const json& object, const std::string& key, const std::string& pointer, json::value_t type) {
  const auto found = object.find(key);
  if (found == object.end()) refuse(pointer + "/" + key, "it is missing", "add it");
  if (found->type() != type)
    refuse(pointer + "/" + key, fmt::format("it is a JSON {}", found->type_name()),
           fmt::format("make it a JSON {}", json(type).type_name()));
  return *found;
}

}  // namespace

const std::vector<std::string>& supported_versions() {
  static const std::vector<std::string> versions{"0.3.0", "0.3.1", "0.4.0", "1.0.0"};
  return versions;
}

NetworkConfig parse_network_config(std::string_view text) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    refuse("", error.what(), "write it as JSON");
  }
  if (!document.is_object()) refuse("", "it isn't an object", "write it like {\"cniVersion\":…, \"name\":…, …}");

  NetworkConfig config;
  config.name = member(document, "name", "", json::value_t::string);
  // The name becomes part of file names.
  if (!std::regex_match(config.name, std::regex("[a-zA-Z0-9][a-zA-Z0-9_.-]*")))
    refuse("/name", fmt::format("\"{}\" isn't a network name", config.name),
           "use letters, digits, '_', '.' and '-', a letter or digit first");
  config.cni_version = member(document, "cniVersion", "", json::value_t::string);
  const auto& versions = supported_versions();
  if (std::find(versions.begin(), versions.end(), config.cni_version) == versions.end())
    refuse("/cniVersion", fmt::format("version \"{}\" isn't supported", config.cni_version),
           fmt::format("use one of {}", fmt::join(versions, ", ")));
  if (document.contains("disableCheck"))
    config.disable_check = member(document, "disableCheck", "", json::value_t::boolean);

  if (!document.contains("plugins")) {
    member(document, "type", "", json::value_t::string);
    config.plugins = {document};
    return config;
  }
  const auto& plugins = member(document, "plugins", "", json::value_t::array);
  if (plugins.empty()) refuse("/plugins", "it is empty", "name at least one plugin");
  for (std::size_t i = 0; i < plugins.size(); ++i) {
    const auto pointer = fmt::format("/plugins/{}", i);
    if (!plugins[i].is_object()) refuse(pointer, "it isn't an object", "write it like {\"type\": \"bridge\"}");
    const std::string type = member(plugins[i], "type", pointer, json::value_t::string);
    if (type.empty() || type.find('/') != std::string::npos)
      refuse(pointer + "/type", fmt::format("\"{}\" isn't the name of a plugin", type),
             "name its file, without a path");
    config.plugins.push_back(plugins[i]);
  }
  return config;
}

std::string to_json(const NetworkConfig& config) {
  json document{{"cniVersion", config.cni_version}, {"name", config.name}, {"plugins", config.plugins}};
  if (config.disable_check) document["disableCheck"] = true;
  return document.dump(2);
}

}  // namespace knetsim::cni
