#include "json_error.h"

#include <fmt/format.h>

#include <cstddef>
#include <vector>

namespace knetsim::kube {
namespace {

constexpr std::size_t kExcerptSize = 100;

std::string quoted(char c) {
  if (c == '\'') return R"('\'')";
  if (c == '"') return "'\"'";
  if (c == '\n') return R"('\n')";
  if (c == '\t') return R"('\t')";
  if (c == '\r') return R"('\r')";
  if (c >= ' ' && c <= '~') return fmt::format("'{}'", c);
  return fmt::format("'\\x{:02x}'", static_cast<unsigned char>(c));
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_number_part(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// Walks a text that is known to be broken until it is clear where.
class JsonWalk {
 public:
  explicit JsonWalk(std::string_view text) : text_(text) {}

  std::string error() {
    while (true) {
      skip_blanks();
      if (at_ == text_.size()) return "unexpected end of JSON input";
      const auto context = step();
      if (!context.empty())
        return at_ >= text_.size() ? "unexpected end of JSON input"
                                   : fmt::format("invalid character {} {}", quoted(text_[at_]), context);
    }
  }

 private:
  enum class Next { value, first_key, key, colon, after_member, first_element, after_element, nothing };

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  /// Empty if all was well up to here.
  std::string step() {
    const auto c = text_[at_];
    switch (next_) {
      case Next::first_element:
        if (c == ']') return close();
        [[fallthrough]];
      case Next::value:
        return value();
      case Next::first_key:
        if (c == '}') return close();
        [[fallthrough]];
      case Next::key:
        if (c != '"') return "looking for beginning of object key string";
        next_ = Next::colon;
        return string();
      case Next::colon:
        if (c != ':') return "after object key";
        ++at_;
        next_ = Next::value;
        return {};
      case Next::after_member:
        if (c == '}') return close();
        if (c != ',') return "after object key:value pair";
        ++at_;
        next_ = Next::key;
        return {};
      case Next::after_element:
        if (c == ']') return close();
        if (c != ',') return "after array element";
        ++at_;
        next_ = Next::value;
        return {};
      case Next::nothing:
        break;
    }
    return "after top-level value";
  }

  std::string value() {
    const auto c = text_[at_];
    if (c == '{' || c == '[') {
      open_.push_back(c);
      next_ = c == '{' ? Next::first_key : Next::first_element;
      ++at_;
      return {};
    }
    if (c == '"') {
      after_value();
      return string();
    }
    for (const std::string_view word : {"true", "false", "null"}) {
      if (c != word.front()) continue;
      after_value();
      return literal(word);
    }
    if (c != '-' && (c < '0' || c > '9')) return "looking for beginning of value";
    while (at_ < text_.size() && is_number_part(text_[at_])) ++at_;
    after_value();
    return {};
  }

  std::string literal(std::string_view word) {
    for (std::size_t i = 0; i < word.size(); ++i, ++at_) {
      if (at_ == text_.size() || text_[at_] != word[i])
        return fmt::format("in literal {} (expecting '{}')", word, word[i]);
    }
    return {};
  }

  std::string string() {
    for (++at_; at_ < text_.size(); ++at_) {
      const auto c = text_[at_];
      if (c == '"') {
        ++at_;
        return {};
      }
      if (static_cast<unsigned char>(c) < 0x20) return "in string literal";
      if (c == '\\' && ++at_ < text_.size() &&
          std::string_view("\"\\/bfnrtu").find(text_[at_]) == std::string_view::npos)
        return "in string escape code";
    }
    return "in string literal";
  }

  std::string close() {
    open_.pop_back();
    ++at_;
    after_value();
    return {};
  }

  void after_value() {
    next_ = open_.empty() ? Next::nothing : open_.back() == '{' ? Next::after_member : Next::after_element;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Next next_ = Next::value;
  std::vector<char> open_;
};

}  // namespace

std::string go_json_error(std::string_view text) {
  std::string shown;
  for (const auto c : text.substr(0, kExcerptSize)) shown += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > kExcerptSize) shown += " ...";
  return fmt::format("{} ({})", JsonWalk(text).error(), shown);
}

}  // namespace knetsim::kube
