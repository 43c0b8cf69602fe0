#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace knetsim::cli {

/// --env VARIABLE, as often as needed: what a lab's programs are told beside the few variables that all are told.
inline void add_env_option(CLI::App& app, std::vector<std::string>& variables) {
  app.add_option("--env", variables, "Hand this variable on to what is run; others of yours aren't")
      ->type_name("VARIABLE")
      ->allow_extra_args(false);
}

}  // namespace knetsim::cli
