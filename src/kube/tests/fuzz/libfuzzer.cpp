// One program for each target (KNETSIM_FUZZ_TARGET), for coverage-guided fuzzing with clang.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "targets.h"

namespace {

/// Gives an empty corpus what is known to be valid.
void plant(const std::filesystem::path& corpus) {
  if (!std::filesystem::is_empty(corpus)) return;
  int number = 0;
  for (const auto& seed : knetsim::kube::fuzz::seeds(KNETSIM_FUZZ_TARGET))
    std::ofstream(corpus / ("seed" + std::to_string(++number)), std::ios::binary) << seed;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(const int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i)
    if (std::filesystem::is_directory((*argv)[i])) plant((*argv)[i]);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto& target = knetsim::kube::fuzz::targets().at(KNETSIM_FUZZ_TARGET);
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
