#include "knetsim/cni/plugins.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>
#include <unistd.h>

#include <sstream>

#include "knetsim/cni/specification.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/file.h"
#include "knetsim/sys/installation.h"
#include "knetsim/sys/text.h"

namespace knetsim::cni {

namespace fs = std::filesystem;

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

using parts::Flavour;

constexpr std::uintmax_t kLongestConf = 1UL << 20;

std::vector<fs::path> search_path(std::string_view cni_path, const std::optional<fs::path>& beside = std::nullopt) {
  std::vector<fs::path> directories;
  std::istringstream entries{std::string(cni_path)};
  for (std::string entry; std::getline(entries, entry, ':');)
    if (!entry.empty()) directories.emplace_back(entry);
  if (beside) directories.push_back(*beside);
  directories.emplace_back("/opt/cni/bin");
  directories.emplace_back("/usr/lib/cni");
  return directories;
}

std::string joined_directories(const std::vector<fs::path>& directories) {
  std::string text;
  for (const auto& directory : directories) text += (text.empty() ? "" : ", ") + directory.string();
  return text;
}

std::string missing_from(const std::vector<fs::path>& directories) {
  std::string missing;
  for (const auto name : parts::kCni.real)
    if (!find_file(std::string(name), directories)) missing += (missing.empty() ? "" : " and ") + std::string(name);
  return missing;
}

// How the user said it, for messages.
struct Wish {
  std::string_view wanted;
  std::string said;

  InputError refused(const std::string& answer, const std::string& remedy) const {
    return InputError(describe({.tried = "use " + said, .answer = answer, .remedy = remedy}));
  }
};

Flavour flavour_of(const Wish& wish) try {
  return parts::parse_flavour(wish.wanted, parts::kCni);
} catch (const InputError& error) {
  throw wish.refused(error.what(), {});
}

// Ours comes last: a plugin `flannel` of the user's own goes first.
Plugins with_own(Plugins plugins) {
  if (const auto own = own_plugin_directory()) plugins.search_path.push_back(*own);
  // Without a delegating plugin the delegate is called directly; the outcome is the same.
  if (plugins.type == "flannel" && !find_file("flannel", plugins.search_path)) plugins.type = "bridge";
  return plugins;
}

bool is_configuration(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".conflist" || extension == ".conf" || extension == ".json";
}

// Whether it names something on disk, and not a flavour.
bool names_file(std::string_view wanted) {
  return wanted.find('/') != std::string_view::npos || is_configuration(wanted);
}

Plugins with_conf(NetworkConfig conf, std::vector<fs::path> directories, const Wish& wish) {
  auto plugins =
      with_own({.flavour = Flavour::real, .search_path = std::move(directories), .type = {}, .conf = std::move(conf)});
  for (const auto& plugin : plugins.conf->plugins)
    if (const auto type = plugin.at("type").get<std::string>(); !find_file(type, plugins.search_path))
      throw wish.refused(
          fmt::format("there is no plugin {} in {}", excerpt(type), joined_directories(plugins.search_path)),
          std::string(parts::kCni.remedy));
  return plugins;
}

// What anybody may put somewhere isn't run because a file that lies there is used.
std::optional<fs::path> unless_everybody_writes(const fs::path& directory) {
  std::error_code unknown;
  const auto permissions = fs::status(directory, unknown).permissions();
  if (unknown || (permissions & fs::perms::others_write) != fs::perms::none) return std::nullopt;
  return directory;
}

Plugins from_configuration(const Wish& wish, const fs::path& path, std::string_view cni_path) {
  if (!fs::is_regular_file(path)) throw wish.refused("it is no file", "name a .conflist or .conf file");
  if (fs::file_size(path) > kLongestConf) throw wish.refused("it is longer than a MiB", "see docs/cni.md");
  const auto conf = [&] {
    try {
      return parse_network_config(read_file(path), path.string());
    } catch (const knetsim::Error& error) {
      throw wish.refused(error.what(), "see docs/cni.md");
    }
  }();
  return with_conf(conf, search_path(cni_path, unless_everybody_writes(path.parent_path())), wish);
}

Plugins at_path(const Wish& wish, std::string_view cni_path) {
  auto directories = search_path(cni_path);
  const fs::path path = fs::absolute(wish.wanted);
  if (fs::is_directory(path)) {
    directories.insert(directories.begin(), path);
    if (const auto missing = missing_from(directories); !missing.empty())
      throw wish.refused(fmt::format("there is no plugin {} in it or in the usual places", missing),
                         std::string(parts::kCni.remedy));
    return with_own({.flavour = Flavour::real, .search_path = std::move(directories)});
  }
  if (!fs::exists(path))
    throw wish.refused("it doesn't exist", "name a plugin, a directory of plugins, or a .conflist or .conf file");
  if (is_configuration(path)) return from_configuration(wish, path, cni_path);
  if (::access(path.c_str(), X_OK) != 0)
    throw wish.refused("it isn't executable",
                       "chmod +x " + path.string() + ", or, if it is a configuration, call it .conflist or .conf");
  directories.insert(directories.begin(), path.parent_path());
  return with_own({.flavour = Flavour::real, .search_path = std::move(directories), .type = path.filename().string()});
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

std::optional<fs::path> own_plugin_directory() {
  const auto flannel = find_file("flannel", own_directories(), {"cni", "../libexec/knetsim/cni"});
  return flannel ? std::optional(flannel->parent_path()) : std::nullopt;
}

Plugins resolve(std::string_view wanted, std::string_view cni_path, const std::string& said) {
  const Wish wish{.wanted = wanted, .said = said.empty() ? fmt::format("KNETSIM_CNI={}", wanted) : said};
  auto directories = search_path(cni_path);
  if (names_file(wanted)) return at_path(wish, cni_path);
  const auto flavour = wanted.empty() ? Flavour::automatic : flavour_of(wish);
  // The built-in one runs none, but must find them to undo what a real flavour has done on the same worker.
  if (flavour == Flavour::builtin)
    return with_own({.flavour = Flavour::builtin, .search_path = std::move(directories)});
  if (const auto missing = missing_from(directories); !missing.empty()) {
    if (flavour == Flavour::automatic)
      return with_own({.flavour = Flavour::builtin, .search_path = std::move(directories)});
    throw wish.refused(fmt::format("there is no plugin {} in {}", missing, joined_directories(directories)),
                       std::string(parts::kCni.remedy));
  }
  return with_own({.flavour = Flavour::real, .search_path = std::move(directories)});
}

Plugins resolve(Flavour requested, const parts::Environment& environment, const std::string& said) {
  const auto value = environment.get(parts::kCni.variable).value_or("");
  const auto cni_path = environment.get(parts::kCni.path_variable).value_or("");
  const bool as_told = requested == Flavour::automatic || (requested == Flavour::real && names_file(value));
  return as_told ? resolve(value, cni_path) : resolve(to_string(requested), cni_path, said);
}

Plugins resolve_conf(NetworkConfig conf, std::string_view cni_path, const std::string& said) {
  return with_conf(std::move(conf), search_path(cni_path), {.wanted = {}, .said = said});
}

}  // namespace knetsim::cni
