#pragma once

#include "terminal.h"

namespace CLI {
class App;
}

namespace knetsim::cli {

/// --color auto|always|never
void add_color_option(CLI::App& app, ColorMode& mode);

}  // namespace knetsim::cli
