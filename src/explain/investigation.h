#pragma once

#include "knetsim/explain/explain.h"
#include "witnesses.h"

namespace knetsim::explain {

/// As explain(), with witnesses that may be tampered with.
Explanation investigate(Emulation& emulation, const Question& question, const Options& options,
                        const Tampering& tampering);

}  // namespace knetsim::explain
