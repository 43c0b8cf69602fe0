#include "flavours.h"

#include <CLI/CLI.hpp>
#include <boost/algorithm/string/replace.hpp>
#include <cstdlib>
#include <string_view>

#include "knetsim/cni/plugins.h"
#include "knetsim/flannel/launcher.h"
#include "knetsim/skupper/launcher.h"
#include "knetsim/sys/error.h"

namespace knetsim::cli {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Who typed an option is told of that, not of the variable that carries it.
void require_choice(const Flavoured& part, const std::string& value) try {
  require_flavour(part, value);
} catch (const InputError& error) {
  throw InputError(boost::algorithm::replace_all_copy(std::string(error.what()), std::string(part.variable) + "=",
                                                      std::string(part.option) + " "));
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
    skupper::resolve(parts::Flavour::automatic, wanted);
  } else {
    auto wanted = flannel::Environment::current();
    wanted.flannel = value;
    flannel::resolve(parts::Flavour::automatic, wanted);
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
    const auto& part = kFlavoured.at(i);
    if (!choices.at(i).empty()) {
      require_choice(part, choices.at(i));
    } else if (const auto value = environment(part.variable); !value.empty()) {
      require_flavour(part, value);
    }
  }
}

}  // namespace knetsim::cli
