#pragma once

#include "result.h"
#include "terminal.h"

namespace knetsim::cli {

/// The end of a run: the table, then only what isn't green, with its reasons and evidence, then one line of total.
void print_summary(const RunResult& run, const Terminal& terminal, const Style& style);

}  // namespace knetsim::cli
