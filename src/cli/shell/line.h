#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::cli::shell {

/// The bytes [begin, end) of a line.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A line, or a part of it, that can't be understood or done.
class LineError : public InputError {
 public:
  LineError(Span span, const std::string& message, std::string remedy = {});
  Span span() const noexcept { return span_; }
  const std::string& remedy() const noexcept { return remedy_; }

 private:
  Span span_;
  std::string remedy_;
};

/// The line, a caret below the place, and the message; the line's control characters are made visible.
std::string with_caret(std::string_view line, const LineError& error);

/// A word without the quotes and backslashes that it was typed with.
struct Word {
  std::string text;
  Span span;  ///< with them
};

/// "C0w1 ping -c 1 C0w2 &"
struct Words {
  std::vector<Word> words;
  std::optional<Span> needs_shell = {};  ///< the first unquoted operator, variable or wildcard of sh(1)
  bool background = false;               ///< ended in "&"
  std::size_t end = 0;                   ///< of the last word; the "&" isn't one
};

/// A value of a call: a text, a whole number, or a list of values.
struct Value {
  std::variant<std::string, long, std::vector<Value>> content;
  Span span;
};

/// `C0w1.exec_container("c1", "ifconfig")`: the original's Python prompt, as far as its README goes.
struct Call {
  std::optional<Word> within = {};  ///< C0 of `C0.get("w1").IP()`, where w1 is the object
  Word object;
  Word method;
  std::vector<Value> arguments;
  Span span;
};

/// monostate: a line without anything on it, or with a comment only.
using Statement = std::variant<std::monostate, Words, Call>;

/// One line of the prompt's language. A prompt that was pasted with it ("mininet> ", "> ") is passed over.
///
///   line  = [prompt] [ ["py"] call | word... ["&"] ] ["#" comment]
///   call  = object "." name "(" [value {"," value}] ")"
///   object = name | name "." "get" "(" "text" ")"
///   value = "text" | 'text' | number | "[" [value {"," value}] "]"
///   word  = as sh(1) quotes them: 'text', "text", \c
///
/// Throws LineError.
Statement parse_line(std::string_view line);

/// The words from `offset` on, for lines within lines; spans count from the start of `line`.
Words split_words(std::string_view line, std::size_t offset = 0);

/// Where the line proper begins: behind blanks and a pasted prompt.
std::size_t skip_prompt(std::string_view line);

}  // namespace knetsim::cli::shell
