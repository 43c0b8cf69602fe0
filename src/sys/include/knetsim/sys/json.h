#pragma once

#include <cstddef>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

/// What is asked of JSON that comes from outside, beyond RFC 8259.
struct JsonRules {
  std::size_t depth = 512;              ///< levels of arrays and objects; copying and comparing values is recursive
  std::size_t size = 64UL << 20;        ///< bytes of the text
  bool refuse_doubled_keys = false;     ///< else the last of them counts, as with Go's decoder
  std::string_view file = {};           ///< whose text it is, for complaints; empty: no file's, the caller names it
  bool refuse_byte_order_mark = false;  ///< as Go's decoder does
  // What JsonPlace holds to.
  std::size_t string = std::numeric_limits<std::size_t>::max();  ///< bytes of a string that is read
  bool null_is_absent = false;    ///< a member that is null isn't there, as with Go's decoder
  bool keys_in_any_case = false;  ///< where none has the exact one, as with Go's decoder
  bool remedies = true;           ///< on a line of its own in complaints; no use for what programs write
};

/// parse_json()'s refusal of what can be read, and isn't to be: nested too deep, a key that stands twice.
class JsonShapeError : public InputError {
 public:
  JsonShapeError(const std::string& text, std::string pointer, std::string problem)
      : InputError(text), pointer_(std::move(pointer)), problem_(std::move(problem)) {}
  const std::string& pointer() const noexcept { return pointer_; }  ///< RFC 6901, cut if it is very long
  const std::string& problem() const noexcept { return problem_; }

 private:
  std::string pointer_;
  std::string problem_;
};

/// Reads the one value that `text` holds. The only way in for JSON that others have written: files, answers, messages.
/// Throws InputError that says in a line of bounded length where and what is wrong. Where it isn't JSON that is
/// "mine.json:3:7", else "mine.json:3: " and the JSON pointer (RFC 6901) of the value; of a text that is no file's
/// "line 3, column 7", or the pointer alone.
nlohmann::json parse_json(std::string_view text, const JsonRules& rules = {});

/// A value in a message: JSON on one line, in ASCII; what is nested deeper than a few levels, and what goes beyond
/// `longest` bytes, is "…". Never needs more time or memory than what it returns.
std::string json_excerpt(const nlohmann::json& value, std::size_t longest = 200);

}  // namespace knetsim
