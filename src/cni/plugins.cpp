#include "knetsim/cni/plugins.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "knetsim/cni/find_plugin.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/installation.h"

namespace knetsim::cni {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRemedy = "apt-get install containernetworking-plugins, or put its directory on CNI_PATH";

// What flannel's plugin delegates to.
constexpr const char* kNeeded[] = {"bridge", "host-local"};

std::vector<fs::path> search_path(std::string_view cni_path) {
  std::vector<fs::path> directories;
  std::istringstream entries{std::string(cni_path)};
  for (std::string entry; std::getline(entries, entry, ':');)
    if (!entry.empty()) directories.emplace_back(entry);
  directories.emplace_back("/opt/cni/bin");
  directories.emplace_back("/usr/lib/cni");
  return directories;
}

std::string missing_from(const std::vector<fs::path>& directories) {
  std::string missing;
  for (const auto* name : kNeeded)
    if (!find_plugin(name, directories)) missing += (missing.empty() ? "" : " and ") + std::string(name);
  return missing;
}

InputError not_found(std::string_view wanted, const std::string& answer, const std::string& remedy) {
  return InputError(
      describe({.where = {}, .tried = fmt::format("use KNETSIM_CNI={}", wanted), .answer = answer, .remedy = remedy}));
}

// Ours comes last: a plugin `flannel` of the user's own goes first.
Plugins with_own(Plugins plugins) {
  if (const auto own = own_plugin_directory()) plugins.search_path.push_back(*own);
  // Without a delegating plugin the delegate is called directly; the outcome is the same.
  if (plugins.type == "flannel" && !find_plugin("flannel", plugins.search_path)) plugins.type = "bridge";
  return plugins;
}

Plugins at_path(std::string_view wanted, std::vector<fs::path> directories) {
  const fs::path path = fs::absolute(wanted);
  if (fs::is_directory(path)) {
    directories.insert(directories.begin(), path);
    if (const auto missing = missing_from(directories); !missing.empty())
      throw not_found(wanted, fmt::format("there is no plugin {} in it or in the usual places", missing), kRemedy);
    return with_own({.flavour = Flavour::real, .search_path = std::move(directories)});
  }
  if (!fs::exists(path)) throw not_found(wanted, "it doesn't exist", "name a plugin, or a directory of plugins");
  if (::access(path.c_str(), X_OK) != 0) throw not_found(wanted, "it isn't executable", "chmod +x " + path.string());
  directories.insert(directories.begin(), path.parent_path());
  return with_own({.flavour = Flavour::real, .search_path = std::move(directories), .type = path.filename().string()});
}

}  // namespace

std::string to_string(Flavour flavour) { return flavour == Flavour::real ? "real" : "builtin"; }

std::optional<fs::path> own_plugin_directory() {
  const auto flannel = find_own("flannel", own_directories(), {"cni", "../libexec/knetsim/cni"});
  return flannel ? std::optional(flannel->parent_path()) : std::nullopt;
}

Plugins resolve(std::string_view wanted, std::string_view cni_path) {
  auto directories = search_path(cni_path);
  // The built-in one runs none, but must find them to undo what a real flavour has done on the same worker.
  if (wanted == "builtin") return with_own({.flavour = Flavour::builtin, .search_path = std::move(directories)});
  if (wanted.find('/') != std::string_view::npos) return at_path(wanted, std::move(directories));
  const bool automatic = wanted.empty() || wanted == "auto";
  if (!automatic && wanted != "real")
    throw not_found(wanted, "no such flavour", "use auto, real, builtin, or the path of a plugin or directory");
  if (const auto missing = missing_from(directories); !missing.empty()) {
    if (automatic) return with_own({.flavour = Flavour::builtin, .search_path = std::move(directories)});
    std::string searched;
    for (const auto& directory : directories) searched += (searched.empty() ? "" : ", ") + directory.string();
    throw not_found(wanted, fmt::format("there is no plugin {} in {}", missing, searched), kRemedy);
  }
  return with_own({.flavour = Flavour::real, .search_path = std::move(directories)});
}

Plugins resolve_from_environment(std::string_view otherwise) {
  const char* wanted = std::getenv("KNETSIM_CNI");
  const char* cni_path = std::getenv("CNI_PATH");
  return resolve(wanted != nullptr && *wanted != '\0' ? std::string_view(wanted) : otherwise,
                 cni_path != nullptr ? cni_path : "");
}

}  // namespace knetsim::cni
