#pragma once

#include <string>

namespace knetsim {

/// A JSON text and the file that it came from, so that a complaint can name the line. Both may be empty: a value that
/// was made in code.
struct SourceText {
  std::string file = {};
  std::string text = {};

  /// "mine.json:12: /clusters/0/name": where the value that the JSON pointer (RFC 6901) names begins, or, if there is
  /// none, the nearest one around it.
  std::string place(const std::string& pointer) const;
};

}  // namespace knetsim
