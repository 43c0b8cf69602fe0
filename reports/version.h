#pragma once

#include <string_view>

namespace knetsim::report {

/// "0.1.0"
std::string_view version();

}  // namespace knetsim::report
