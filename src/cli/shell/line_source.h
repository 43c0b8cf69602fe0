#pragma once

#include <optional>
#include <string>

namespace knetsim::cli::shell {

/// Where lines come from: somebody's keyboard, or a script.
class LineSource {
 public:
  virtual ~LineSource() = default;
  /// Without its newline; nullopt at the end, or if somebody asked to end.
  virtual std::optional<std::string> next() = 0;
};

}  // namespace knetsim::cli::shell
