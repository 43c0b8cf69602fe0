#include "knetsim/skupper/config.h"

#include <gtest/gtest.h>
