#pragma once

#include <string>

#include "knetsim/sys/error.h"

namespace knetsim {

/// A JSON text and the file that it came from, so that a complaint can name the line. Both may be empty: a value that
/// was made in code.
struct JsonSource {
  std::string file = {};  ///< or what else complaints call it: "the flannel config"
  std::string text = {};
  std::string help = {};  ///< the remedy where a complaint has none of its own

  /// "mine.json:12: /clusters/0/name": where the value that the JSON pointer (RFC 6901) names begins, or, if there is
  /// none, the nearest one around it. Fit for a message, whatever the keys hold.
  std::string place(const std::string& pointer) const;
};

/// What is wrong with a value of a JSON document, and where.
struct JsonComplaint {
  std::string pointer;  ///< RFC 6901; of a member that is missing, where it should be
  std::string value;    ///< an excerpt; empty: there is none
  std::string problem;
  std::string remedy = {};  ///< empty: the source's help
};

/// "<file>:<line>: <pointer>: <value>: <problem>\n  remedy: <remedy>", without the parts that aren't known.
class JsonError : public InputError {
 public:
  JsonError(const JsonSource& source, JsonComplaint complaint);
  const JsonComplaint& complaint() const noexcept { return complaint_; }

 private:
  JsonComplaint complaint_;
};

}  // namespace knetsim
