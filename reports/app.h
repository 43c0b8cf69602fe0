#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace knetsim::report {

inline constexpr int kExitGreen = 0;
inline constexpr int kExitRed = 1;
inline constexpr int kExitUnreadable = 2;  ///< the input couldn't be read, or the command line is wrong

/// The program: parses, makes the report, tells why it is red on `err`, and returns the exit code.
int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace knetsim::report
