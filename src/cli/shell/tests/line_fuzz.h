#pragma once

#include <cstddef>
#include <cstdint>

/// One line for the prompt's parser, as libFuzzer gives it (llvm.org/docs/LibFuzzer.html). Always 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
