// One program for each target (KNETSIM_FUZZ_TARGET), for coverage-guided fuzzing with clang.
#include <cstdint>
#include <cstdlib>

#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto target = knetsim::skupper::fuzz::targets().at(KNETSIM_FUZZ_TARGET);
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
