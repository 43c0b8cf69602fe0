#pragma once

#include <string>

#include "line_source.h"
#include "session.h"

namespace knetsim::cli::shell {

/// Verbs, nodes, containers, programs, files, methods: whatever fits where the line ends.
Completion complete(Session& session, const std::string& line);

}  // namespace knetsim::cli::shell
