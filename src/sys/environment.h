#pragma once

#include <string_view>

#include "knetsim/sys/process.h"

namespace knetsim {

/// Whether a program of this trust is told the variable: an allow-list, so that a token of whoever started the lab
/// isn't handed to everything in it.
bool hands_on(Trust trust, std::string_view variable);

}  // namespace knetsim
