#include <algorithm>

#include "line.h"

namespace knetsim::cli::shell {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool means_something_to_sh(char c) { return std::string_view("|&;<>()$`*?[]{}~!").find(c) != std::string_view::npos; }

/// Reads words as sh(1) does, but expands nothing.
class WordReader {
 public:
  WordReader(std::string_view line, std::size_t offset) : line_(line), at_(offset) {}

  Words read() {
    Words result;
    while (skip_blanks()) result.words.push_back(word());
    result.needs_shell = needs_shell_;
    take_background(result);
    result.end = result.words.empty() ? at_ : result.words.back().span.end;
    return result;
  }

 private:
  // False at the end, or at a comment.
  bool skip_blanks() {
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
    return at_ < line_.size() && line_[at_] != '#';
  }

  Word word() {
    Word word{.text = {}, .span = {at_, at_}};
    while (at_ < line_.size() && !is_blank(line_[at_])) {
      const char c = line_[at_];
      if (c == '\'' || c == '"') {
        quoted(c, word.text);
      } else if (c == '\\') {
        escaped(word.text);
      } else {
        if (means_something_to_sh(c)) note_operator();
        word.text += c;
        ++at_;
      }
    }
    word.span.end = at_;
    return word;
  }

  void quoted(char quote, std::string& into) {
    const auto opened = at_++;
    for (; at_ < line_.size(); ++at_) {
      const char c = line_[at_];
      if (c == quote) {
        ++at_;
        return;
      }
      const bool escapes = quote == '"' && c == '\\' && at_ + 1 < line_.size() &&
                           std::string_view("\"\\$`").find(line_[at_ + 1]) != std::string_view::npos;
      if (escapes) ++at_;
      if (quote == '"' && !escapes && (c == '$' || c == '`')) note_operator();
      into += line_[at_];
    }
    throw LineError({opened, opened + 1}, "this quote is never closed");
  }

  void escaped(std::string& into) {
    if (at_ + 1 == line_.size()) throw LineError({at_, at_ + 1}, "nothing follows this backslash");
    into += line_[at_ + 1];
    at_ += 2;
  }

  void note_operator() {
    if (!needs_shell_) needs_shell_ = Span{at_, at_ + 1};
  }

  // A lone "&" at the end is understood here and needs no shell.
  void take_background(Words& words) const {
    if (words.words.empty()) return;
    const auto last = words.words.back();
    if (last.text != "&" || last.span.end - last.span.begin != 1) return;
    words.background = true;
    words.words.pop_back();
    if (words.needs_shell && words.needs_shell->begin == last.span.begin) words.needs_shell.reset();
  }

  std::string_view line_;
  std::size_t at_;
  std::optional<Span> needs_shell_;
};

}  // namespace

Words split_words(std::string_view line, std::size_t offset) { return WordReader(line, offset).read(); }

}  // namespace knetsim::cli::shell
