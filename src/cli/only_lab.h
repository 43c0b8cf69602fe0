#pragma once

#include <string>

#include "attach/state_directory.h"

namespace knetsim::cli {

/// The name of the lab that is meant when none is named. Throws InputError unless exactly one stands.
std::string only_lab(const StateDirectory& labs);

}  // namespace knetsim::cli
