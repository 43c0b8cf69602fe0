// A program with a disabled test, which GoogleTest would pass over in silence.

#include <gtest/gtest.h>

TEST(Disabled, DISABLED_Test) { FAIL(); }
