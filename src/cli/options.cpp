#include "options.h"

#include <fmt/format.h>

#include <boost/algorithm/string/replace.hpp>

#include "knetsim/cni/plugins.h"
#include "knetsim/parts/program.h"
#include "knetsim/sys/error.h"

namespace knetsim::cli {

void add_color_option(CLI::App& app, ColorMode& mode) {
  const std::map<std::string, ColorMode> words{
      {"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}};
  app.add_option_function<std::string>(
         "--color", [&mode, words](const std::string& word) { mode = words.at(word); },
         "auto, always or never; NO_COLOR is honoured")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

void add_flavour_options(CLI::App& app, FlavourChoices& choices) {
  for (std::size_t i = 0; i < parts::kParts.size(); ++i) {
    const auto& part = *parts::kParts.at(i);
    app.add_option(option_of(part), choices.at(i), fmt::format("{}: {}", part.title, choices_of(part)))
        ->type_name("FLAVOUR");
  }
}

std::map<std::string, std::string> environment_for(const FlavourChoices& choices) {
  std::map<std::string, std::string> variables;
  for (std::size_t i = 0; i < parts::kParts.size(); ++i)
    if (!choices.at(i).empty()) variables.emplace(parts::kParts.at(i)->variable, choices.at(i));
  return variables;
}

void require_flavours(const FlavourChoices& choices) {
  for (std::size_t i = 0; i < parts::kParts.size(); ++i) {
    const auto& part = *parts::kParts.at(i);
    const auto& choice = choices.at(i);
    auto environment = parts::Environment::current();
    if (!choice.empty()) environment = environment.with(part.variable, choice);
    if (!environment.get(part.variable)) continue;
    try {
      if (&part == &parts::kCni)
        cni::resolve(parts::Flavour::automatic, environment);
      else
        parts::resolve(part, parts::Flavour::automatic, environment);
    } catch (const InputError& error) {
      if (choice.empty()) throw;
      // Who typed an option is told of that, not of the variable that carries it.
      throw InputError(boost::algorithm::replace_all_copy(std::string(error.what()), fmt::format("{}=", part.variable),
                                                          option_of(part) + " "));
    }
  }
}

}  // namespace knetsim::cli
