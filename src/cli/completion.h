#pragma once

#include <string>

namespace CLI {
class App;
}

namespace knetsim::cli {

/// The completion script for "bash", "zsh" or "fish", made from the parser itself: it can't forget an option.
std::string completion_script(const CLI::App& root, const std::string& shell);

}  // namespace knetsim::cli
