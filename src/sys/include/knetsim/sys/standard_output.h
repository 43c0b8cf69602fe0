#pragma once

#include <string_view>

namespace knetsim {

/// For the end of a program's main function: `code`, or 2 instead of 0, with a word on stderr, if not all that was
/// printed on stdout (std::cout, stdio) could be written. A full disk is no success.
int exit_code_after_output(std::string_view program, int code);

}  // namespace knetsim
