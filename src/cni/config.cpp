#include "knetsim/cni/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "identifier.h"
#include "knetsim/cni/version.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

// A configuration is written by hand; each level more costs stack wherever it is copied or printed.
constexpr std::size_t kDeepest = 64;
constexpr std::size_t kLongest = 1UL << 20;

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

const json& plugin(const json& value, const std::string& pointer) {
  if (!value.is_object()) refuse(pointer, "it isn't an object", "write it like {\"type\": \"bridge\"}");
  const std::string type = member(value, "type", pointer, json::value_t::string);
  if (type.empty() || type == "." || type == ".." || type.find_first_of("/\\") != std::string::npos)
    refuse(pointer + "/type", fmt::format("{} isn't the name of a plugin", excerpt(type)),
           "name its file, without a path");
  return value;
}

// libcni takes the texts too.
bool flag(const json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if (found->is_boolean()) return found->get<bool>();
  if (found->is_string()) {
    std::string text = *found;
    for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (text == "true" || text == "false") return text == "true";
  }
  refuse("/" + key, fmt::format("{} is neither true nor false", json_excerpt(*found)), "write true or false");
}

std::string latest_of(const json& document) {
  std::vector<std::string> offered;
  if (document.contains("cniVersion"))
    offered.push_back(member(document, "cniVersion", "", json::value_t::string).get<std::string>());
  if (document.contains("cniVersions"))
    for (const auto& one : member(document, "cniVersions", "", json::value_t::array)) {
      if (!one.is_string())
        refuse("/cniVersions", fmt::format("{} isn't a version", json_excerpt(one)), "write them like \"1.0.0\"");
      offered.push_back(one);
    }
  if (offered.empty() || offered == std::vector<std::string>{""}) return kOldestVersion;
  std::string latest;
  for (const auto& version : offered)
    if (is_supported(version) && (latest.empty() || is_since(version, latest))) latest = version;
  if (latest.empty())
    refuse("/cniVersion", fmt::format("{} isn't supported", excerpt(fmt::format("{}", fmt::join(offered, ", ")))),
           fmt::format("use one of {}", fmt::join(supported_versions(), ", ")));
  return latest;
}

}  // namespace

NetworkConfig parse_network_config(std::string_view text, const std::filesystem::path& file) {
  // Go's decoder, and so every runtime there is, refuses it.
  if (text.starts_with("\xef\xbb\xbf")) refuse("", "it begins with a byte order mark", "save it without one");
  json document;
  try {
    document = parse_json(text, {.depth = kDeepest, .size = kLongest, .file = file.string()});
  } catch (const InputError& error) {
    throw InputError(describe({.where = {},
                               .tried = "use the CNI network configuration",
                               .answer = error.what(),
                               .remedy = "write it as JSON"}));
  }
  if (!document.is_object()) refuse("", "it isn't an object", "write it like {\"cniVersion\":…, \"name\":…, …}");

  NetworkConfig config;
  config.name = member(document, "name", "", json::value_t::string);
  // The name becomes part of file names.
  if (!is_identifier(config.name))
    refuse("/name", excerpt(config.name) + " isn't a network name",
           "use letters, digits, '_', '.' and '-', a letter or digit first");
  config.cni_version = latest_of(document);
  config.disable_check = flag(document, "disableCheck");
  config.disable_gc = flag(document, "disableGC");

  if (!document.contains("plugins")) {
    config.plugins = {plugin(document, "")};
    return config;
  }
  const auto& plugins = member(document, "plugins", "", json::value_t::array);
  if (plugins.empty()) refuse("/plugins", "it is empty", "name at least one plugin");
  for (std::size_t i = 0; i < plugins.size(); ++i)
    config.plugins.push_back(plugin(plugins[i], fmt::format("/plugins/{}", i)));
  return config;
}

std::string to_json(const NetworkConfig& config) {
  json document{{"cniVersion", config.cni_version}, {"name", config.name}, {"plugins", config.plugins}};
  if (config.disable_check) document["disableCheck"] = true;
  if (config.disable_gc) document["disableGC"] = true;
  return document.dump(2);
}

bool takes(const json& plugin, const std::string& capability) {
  const auto found = plugin.find("capabilities");
  return found != plugin.end() && found->is_object() && found->contains(capability) &&
         found->at(capability) == json(true);
}

}  // namespace knetsim::cni
