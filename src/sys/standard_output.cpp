#include "knetsim/sys/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

namespace knetsim {

int exit_code_after_output(std::string_view program, int code) {
  constexpr int kCouldNotRun = 2;
  errno = 0;
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (written || code != 0) return code;
  // What failed earlier has left no reason.
  std::cerr << program << ": can't write to stdout: " << (errno != 0 ? std::strerror(errno) : "an earlier write failed")
            << "\n  remedy: see that there is room, and that somebody reads it\n";
  return kCouldNotRun;
}

}  // namespace knetsim
