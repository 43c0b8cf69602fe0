#pragma once

#include <nlohmann/json_fwd.hpp>

#include "session.h"

namespace knetsim::cli::shell {

/// What stands, for programs: docs/results-schema.md, "knetsim.inspect/1".
nlohmann::json inspection(Session& session);

}  // namespace knetsim::cli::shell
