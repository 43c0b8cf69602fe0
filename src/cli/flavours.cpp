#include "knetsim/cli/flavours.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string_view>

#include "knetsim/cni/plugins.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/skupper/launcher.h"

namespace knetsim::cli {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

void require_flavour(const Flavoured& part, const std::string& value) {
  // As an emulation resolves them when it boots.
  const std::string_view option = part.option;
  if (option == "--cni") {
    cni::resolve(value, environment("CNI_PATH"));
  } else if (option == "--skupper") {
    auto wanted = skupper::Environment::current();
    wanted.skupper = value;
    skupper::resolve("auto", wanted);
  } else {
    auto wanted = flannel::Environment::current();
    wanted.flannel = value;
    flannel::resolve("auto", wanted);
  }
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
