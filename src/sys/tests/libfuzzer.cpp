// The program of one target (KNETSIM_FUZZ_TARGET) of a room (KNETSIM_FUZZ_ROOM), for coverage-guided fuzzing with
// clang: knetsim_fuzz() in ci/cmake/Fuzz.cmake. The room's tests/fuzz/targets.h says what its targets are fed with.
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "targets.h"

namespace {

namespace fuzz = knetsim::KNETSIM_FUZZ_ROOM::fuzz;

/// Gives an empty corpus what the target's authors know to be valid.
void plant(const std::filesystem::path& corpus) {
  if (!std::filesystem::is_empty(corpus)) return;
  int number = 0;
  for (const auto& seed : fuzz::seeds(KNETSIM_FUZZ_TARGET))
    std::ofstream(corpus / ("seed" + std::to_string(++number)), std::ios::binary) << seed;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(const int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i)
    if (std::filesystem::is_directory((*argv)[i])) plant((*argv)[i]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& target = fuzz::targets().at(KNETSIM_FUZZ_TARGET);
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
