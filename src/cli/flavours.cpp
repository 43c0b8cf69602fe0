#include "knetsim/cli/flavours.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "knetsim/cli/text.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kValues{"auto", "builtin", "real"};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::optional<fs::path> find_named_by(const char* variable, const char* name) {
  const auto set = environment(variable);
  return find_program(set.empty() ? name : fs::absolute(set).string());
}

void require_real_flanneld() {
  if (find_flanneld()) return;
  const auto set = environment("KNETSIM_FLANNELD");
  throw InputError(
      describe({.where = {},
                .tried = "run the real flannel",
                .answer = set.empty() ? "no flanneld on PATH" : fmt::format("{} isn't a program", set),
                .remedy = "set KNETSIM_FLANNELD to the path of one (https://github.com/flannel-io/flannel), "
                          "or leave --flannel at auto"}));
}

void require_real_skrouterd() {
  if (find_skrouterd()) return;
  const auto set = environment("KNETSIM_SKROUTERD");
  throw InputError(
      describe({.where = {},
                .tried = "run the real router",
                .answer = set.empty() ? "no skrouterd on PATH" : fmt::format("{} isn't a program", set),
                .remedy = "set KNETSIM_SKROUTERD to the path of one "
                          "(https://github.com/skupperproject/skupper-router), or leave --skupper at auto"}));
}

void require_real_cni() {
  for (const auto* plugin : {"bridge", "host-local"})
    if (!find_cni_plugin(plugin)) {
      std::vector<std::string> places;
      for (const auto& directory : cni_directories()) places.push_back(directory.string());
      throw InputError(describe({.where = {},
                                 .tried = "run the real CNI plugins",
                                 .answer = fmt::format("{} isn't in {}", plugin, join(places, ", ")),
                                 .remedy = "apt-get install containernetworking-plugins, or set CNI_PATH"}));
    }
}

}  // namespace

std::vector<fs::path> cni_directories() {
  std::vector<fs::path> directories;
  std::istringstream path(environment("CNI_PATH"));
  for (std::string directory; std::getline(path, directory, ':');)
    if (!directory.empty()) directories.emplace_back(directory);
  directories.emplace_back("/opt/cni/bin");
  directories.emplace_back("/usr/lib/cni");
  return directories;
}

std::optional<fs::path> find_cni_plugin(const std::string& name) {
  for (const auto& directory : cni_directories())
    if (auto found = find_program((directory / name).string())) return found;
  return std::nullopt;
}

std::optional<fs::path> find_flanneld() { return find_named_by("KNETSIM_FLANNELD", "flanneld"); }

std::optional<fs::path> find_skrouterd() { return find_named_by("KNETSIM_SKROUTERD", "skrouterd"); }

void require_flavour(const Flavoured& part, const std::string& value) {
  const bool is_cni = std::string_view(part.option) == "--cni";
  if (value == "real") {
    if (is_cni) return require_real_cni();
    return std::string_view(part.option) == "--skupper" ? require_real_skrouterd() : require_real_flanneld();
  }
  if (value == "auto" || value == "builtin") return;
  if (is_cni && value.find('/') != std::string::npos) {
    if (find_program(value)) return;
    throw InputError(fmt::format("{}={} isn't a program\n  remedy: give the path of a CNI plugin", part.option, value));
  }
  const auto near = nearest(value, kValues);
  throw InputError(fmt::format("{} knows no \"{}\"{}\n  remedy: say {}", part.option, value,
                               near.empty() ? "" : fmt::format("; did you mean {}?", near), part.description));
}

void add_flavour_options(CLI::App& app, FlavourChoices& choices) {
  for (std::size_t i = 0; i < kFlavoured.size(); ++i)
    app.add_option(kFlavoured.at(i).option, choices.at(i), kFlavoured.at(i).description)->type_name("FLAVOUR");
}

std::map<std::string, std::string> environment_for(const FlavourChoices& choices) {
  std::map<std::string, std::string> variables;
  for (std::size_t i = 0; i < kFlavoured.size(); ++i)
    if (!choices.at(i).empty()) variables[kFlavoured.at(i).variable] = choices.at(i);
  return variables;
}

void require_flavours(const FlavourChoices& choices) {
  for (std::size_t i = 0; i < kFlavoured.size(); ++i) {
    const auto value = choices.at(i).empty() ? environment(kFlavoured.at(i).variable) : choices.at(i);
    if (!value.empty()) require_flavour(kFlavoured.at(i), value);
  }
}

}  // namespace knetsim::cli
