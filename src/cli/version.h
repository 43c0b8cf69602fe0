#pragma once

#include <string_view>

namespace knetsim::cli {

/// As CMakeLists.txt at the top has it.
std::string_view version();

}  // namespace knetsim::cli
