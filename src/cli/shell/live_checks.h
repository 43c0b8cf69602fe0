#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/cli/shell/session.h"

namespace knetsim::cli::shell {

/// A check of what stands, which leaves it as it is.
struct LiveCheck {
  std::string_view id;  ///< as `knetsim check --only` has it
  std::string_view title;
  /// What isn't as it should be, which may also be thrown as an Error; nullopt if all is well.
  std::optional<std::string> (*run)(Session& session);
};

const std::vector<LiveCheck>& live_checks();

}  // namespace knetsim::cli::shell
