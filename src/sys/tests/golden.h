#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "knetsim/sys/file.h"

namespace knetsim {

/// Text that people read is frozen as a whole in a file beside the tests, so that rewording it is one change.
inline void expect_golden(const std::filesystem::path& file, const std::string& text) {
  if (std::getenv("KNETSIM_UPDATE_GOLDEN") != nullptr) write_file_atomically(file, text, 0644);
  EXPECT_EQ(text, read_file(file)) << "differs from " << file
                                   << "\nif that is wanted: KNETSIM_UPDATE_GOLDEN=1 on this test writes it anew";
}

}  // namespace knetsim
