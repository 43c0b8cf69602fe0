#pragma once

#include "knetsim/sys/split.h"

namespace knetsim::cli {

/// Shows what the side in the background writes until that is ready, or has ended; signals are handed on to it. Returns
/// the exit code: 0 if it is ready, else how it ended.
int wait_in_front(const InFront& background);

}  // namespace knetsim::cli
