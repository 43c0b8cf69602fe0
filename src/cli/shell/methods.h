#pragma once

#include <string>
#include <vector>

#include "knetsim/cli/shell/session.h"

namespace knetsim::cli::shell {

/// Does what the original's object of that name would do. Throws LineError, or any Error.
int run_call(Session& session, const Call& call);

std::vector<std::string> method_names();

}  // namespace knetsim::cli::shell
