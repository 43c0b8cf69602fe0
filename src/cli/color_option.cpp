#include "color_option.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

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

}  // namespace knetsim::cli
