#include "knetsim/cni/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include "knetsim/cni/specification.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace {

using nlohmann::json;

// A configuration is written by hand; each level more costs stack wherever it is copied or printed.
constexpr std::size_t kDeepest = 64;
constexpr std::size_t kLongest = 1UL << 20;

json plugin(const JsonPlace& at) {
  const auto type = at["type"].string();
  if (type.empty() || type == "." || type == ".." || type.find_first_of("/\\") != std::string::npos)
    at["type"].refuse("isn't the name of a plugin", "name its file, without a path");
  return at.value();
}

// libcni takes the texts too.
bool flag(const JsonPlace& at) {
  if (at.value().is_boolean()) return at.boolean();
  const auto text = at.value().is_string() ? at.string() : std::string{};
  for (const auto* known : {"true", "false"})
    if (strcasecmp(text.c_str(), known) == 0) return *known == 't';
  at.refuse("is neither true nor false", "write true or false");
}

std::string latest_of(const JsonPlace& at) {
  auto offered = at.each("cniVersions", &JsonPlace::string);
  at.take("cniVersion", offered.emplace_back(), &JsonPlace::string);
  if (offered.back().empty()) offered.pop_back();
  if (offered.empty()) return kOldestVersion;
  std::string latest;
  for (const auto& version : offered)
    if (is_supported(version) && (latest.empty() || is_since(version, latest))) latest = version;
  if (latest.empty())
    at.refuse_member("cniVersion",
                     fmt::format("{} isn't supported", excerpt(fmt::format("{}", fmt::join(offered, ", ")))),
                     fmt::format("use one of {}", fmt::join(supported_versions(), ", ")));
  return latest;
}

}  // namespace

NetworkConfig read_network_config(const JsonPlace& at) {
  NetworkConfig config{.name = at["name"].string(), .plugins = {}};
  // The name becomes part of file names.
  if (!is_identifier(config.name))
    at["name"].refuse("isn't a network name", "use letters, digits, '_', '.' and '-', a letter or digit first");
  config.cni_version = latest_of(at);
  at.take("disableCheck", config.disable_check, flag);
  at.take("disableGC", config.disable_gc, flag);
  if (const auto plugins = at.find("plugins")) {
    config.plugins = plugins->each(plugin);
    if (config.plugins.empty()) plugins->refuse("it is empty", "name at least one plugin");
  } else {
    config.plugins = {plugin(at)};
  }
  return config;
}

NetworkConfig parse_network_config(std::string_view text, const std::string& file) {
  const auto document = read_json({.file = file, .text = std::string(text), .help = "see docs/cni.md"},
                                  {.depth = kDeepest, .size = kLongest, .refuse_byte_order_mark = true});
  return read_network_config(JsonPlace(document));
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
