#include "line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace knetsim::cli::shell {

namespace {

// A list within lists within lists says nothing here; without a limit, it would cost stack.
constexpr int kDeepest = 8;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// A recursive descent over `call` of parse_line's grammar.
class CallReader {
 public:
  CallReader(std::string_view line, std::size_t offset) : line_(line), at_(offset) {}

  /// True if a call begins here: name "." name "(".
  bool at_call() const {
    auto ahead = *this;
    return ahead.name() && ahead.take('.') && ahead.name() && ahead.take('(');
  }

  Call read() {
    Call call;
    const auto begin = at_;
    call.object = expect_name("a node or a cluster, as C0w1.exec_container(\"c1\", \"ifconfig\")");
    expect('.', "a method, as " + call.object.text + ".exec_container(...)");
    call.method = expect_name("the name of a method");
    expect('(', "the arguments in brackets");
    call.arguments = values(')', 0);
    if (const auto* named = name_that_is_got(call); named != nullptr && take('.')) {
      call.within = call.object;
      call.object = {*named, call.arguments.front().span};
      call.method = expect_name("the name of a method");
      expect('(', "the arguments in brackets");
      call.arguments = values(')', 0);
    }
    call.span = {begin, at_};
    skip_blanks();
    if (at_ < line_.size() && line_[at_] != '#') fail("the call has ended; nothing may follow it");
    return call;
  }

 private:
  static const std::string* name_that_is_got(const Call& call) {
    if (call.method.text != "get" || call.arguments.size() != 1) return nullptr;
    return std::get_if<std::string>(&call.arguments.front().content);
  }

  void skip_blanks() {
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
  }

  bool take(char c) {
    if (at_ >= line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw LineError({at_, std::min(at_ + 1, line_.size())}, message);
  }

  std::optional<Word> name() {
    const auto begin = at_;
    if (at_ < line_.size() && is_digit(line_[at_])) return std::nullopt;
    while (at_ < line_.size() && is_name(line_[at_])) ++at_;
    if (at_ == begin) return std::nullopt;
    return Word{std::string(line_.substr(begin, at_ - begin)), {begin, at_}};
  }

  Word expect_name(const std::string& what) {
    if (auto found = name()) return *found;
    fail("expected " + what);
  }

  void expect(char c, const std::string& what) {
    skip_blanks();
    if (!take(c)) fail(fmt::format("expected \"{}\": {}", c, what));
    skip_blanks();
  }

  // Behind the opening bracket; takes the closing one.
  std::vector<Value> values(char closing, int depth) {
    const auto opened = at_ - 1;
    std::vector<Value> result;
    skip_blanks();
    if (take(closing)) return result;
    for (;;) {
      result.push_back(value(depth));
      skip_blanks();
      if (take(closing)) return result;
      if (at_ == line_.size()) throw LineError({opened, opened + 1}, "this bracket is never closed");
      if (!take(',')) fail(fmt::format("expected \",\" or \"{}\"", closing));
      skip_blanks();
      if (take(closing)) return result;  // Python allows a comma there
    }
  }

  Value value(int depth) {
    const auto begin = at_;
    if (take('"')) return {text('"', begin), {begin, at_}};
    if (take('\'')) return {text('\'', begin), {begin, at_}};
    if (take('[')) {
      if (depth == kDeepest) fail("lists in lists: too deep");
      auto list = values(']', depth + 1);
      return {std::move(list), {begin, at_}};
    }
    if (at_ < line_.size() && (is_digit(line_[at_]) || line_[at_] == '-')) return number();
    if (at_ < line_.size() && is_name(line_[at_])) fail("a text must be in quotes");
    fail("expected a text in quotes, a whole number or a list in [ ]");
  }

  std::string text(char quote, std::size_t opened) {
    std::string result;
    for (; at_ < line_.size(); ++at_) {
      char c = line_[at_];
      if (c == quote) {
        ++at_;
        return result;
      }
      if (c == '\\' && at_ + 1 < line_.size()) c = unescape(line_[++at_]);
      result += c;
    }
    throw LineError({opened, opened + 1}, "this quote is never closed");
  }

  char unescape(char c) const {
    switch (c) {
      case 'n':
        return '\n';
      case 't':
        return '\t';
      case '\\':
      case '\'':
      case '"':
        return c;
      default:
        fail("unknown escape; known are \\n \\t \\\\ \\' \\\"");
    }
  }

  Value number() {
    long result = 0;
    const auto [end, error] = std::from_chars(line_.data() + at_, line_.data() + line_.size(), result);
    if (error != std::errc()) fail("this isn't a whole number that could be used");
    const auto begin = std::exchange(at_, static_cast<std::size_t>(end - line_.data()));
    if (at_ < line_.size() && (is_name(line_[at_]) || line_[at_] == '.')) fail("a text must be in quotes");
    return {result, {begin, at_}};
  }

  std::string_view line_;
  std::size_t at_;
};

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

LineError::LineError(Span span, const std::string& message, std::string remedy)
    : InputError(message), span_(span), remedy_(std::move(remedy)) {}

std::string with_caret(std::string_view line, const LineError& error) {
  std::string shown;
  std::string below;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    const auto piece = byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, line[i]);
    shown += piece;
    const bool continues = (byte & 0xC0U) == 0x80U;  // within a UTF-8 sequence: takes no column of its own
    if (i < error.span().begin && !continues) below.append(piece.size(), ' ');
  }
  auto text = fmt::format("  {}\n  {}^\n{}", shown, below, error.what());
  if (!error.remedy().empty()) text += "\n  " + error.remedy();
  return text + "\n";
}

std::size_t skip_prompt(std::string_view line) {
  const auto skip_blanks = [&](std::size_t at) {
    while (at < line.size() && is_blank(line[at])) ++at;
    return at;
  };
  const auto begin = skip_blanks(0);
  for (const std::string_view prompt : {"knetsim>", "mininet>", ">"})
    if (line.substr(begin).starts_with(prompt)) return skip_blanks(begin + prompt.size());
  return begin;
}

Statement parse_line(std::string_view line) {
  const auto begin = skip_prompt(line);
  const auto rest = line.substr(begin);
  if (rest.empty() || rest.front() == '#') return {};
  if (rest.starts_with("py") && (rest.size() == 2 || is_blank(rest[2]))) {
    auto at = begin + 2;
    while (at < line.size() && is_blank(line[at])) ++at;
    return CallReader(line, at).read();
  }
  CallReader call(line, begin);
  if (call.at_call()) return call.read();
  auto words = split_words(line, begin);
  if (words.words.empty()) throw LineError({begin, begin + 1}, "nothing to run in the background");
  return words;
}

Words split_words(std::string_view line, std::size_t offset) { return WordReader(line, offset).read(); }

}  // namespace knetsim::cli::shell
