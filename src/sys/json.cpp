#include "knetsim/sys/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "json_text.h"
#include "knetsim/sys/error.h"

namespace knetsim {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestPlace = 120;
constexpr std::size_t kLongestReason = 200;
constexpr unsigned kShownLevels = 4;

std::string cut(std::string text, std::size_t longest) {
  if (text.size() <= longest) return text;
  text.resize(longest);
  return text + "…";
}

/// Where the last of the first `taken` bytes of a text stands: "mine.json:3:7", as compilers have it; "line 3, column
/// 7" if the text is no file's.
std::string place_in(std::string_view file, std::string_view text, std::size_t taken) {
  const auto before = text.substr(0, std::min(taken, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n');
  const auto column = std::max<std::size_t>(before.size() - (start == std::string_view::npos ? 0 : start + 1), 1);
  return file.empty() ? fmt::format("line {}, column {}", line, column) : fmt::format("{}:{}:{}", file, line, column);
}

/// What nlohmann's parser complains of, without the place that it names, in a line of bounded length.
// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …": the last part. What it
// quotes of the text may hold anything and be of any length.
std::string reason_of_parse_error(std::string_view message) {
  if (const auto id = message.find("] "); id != std::string_view::npos) message.remove_prefix(id + 2);
  if (message.starts_with("parse error at ")) message.remove_prefix(message.find(": ") + 2);
  auto reason = cut(std::string(message), kLongestReason);
  std::replace_if(
      reason.begin(), reason.begin() + static_cast<std::ptrdiff_t>(std::min(message.size(), kLongestReason)),
      [](char c) { return c < ' ' || c > '~'; }, '?');
  return reason;
}

/// "mine.json:3": without the column, as complaints of a value have it.
std::string line_in(std::string_view file, std::string_view text, std::size_t taken) {
  auto place = place_in(file, text, taken);
  place.resize(place.rfind(':'));
  return place;
}

/// Builds the value as nlohmann's own handler does, and knows all the while where it is and how deep.
class JsonBuilder {
 public:
  JsonBuilder(std::string_view text, const JsonRules& rules, const std::size_t& taken)
      : text_(text), rules_(rules), taken_(taken) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(json::number_integer_t value) { return add(value); }
  bool number_unsigned(json::number_unsigned_t value) { return add(value); }
  bool number_float(json::number_float_t value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(json::binary_t&) { return false; }  // not in a text
  bool start_object(std::size_t) { return open(json::object()); }
  bool start_array(std::size_t) { return open(json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (rules_.refuse_doubled_keys && open_.back().value->contains(name)) {
      open_.back().key = std::move(name);
      refuse(fmt::format("the key {} stands twice in one object", json_excerpt(open_.back().key)));
    }
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception& error) {
    throw InputError(
        fmt::format("{}: {}", place_in(rules_.file, text_, position), reason_of_parse_error(error.what())));
  }

  json take() { return std::move(root_); }

 private:
  struct Open {
    json* value;
    std::string key = {};
  };

  json* place(json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    auto& [container, key] = open_.back();
    if (container->is_object()) return &((*container)[key] = std::move(value));
    container->push_back(std::move(value));
    return &container->back();
  }

  bool add(json value) {
    place(std::move(value));
    return true;
  }

  bool open(json container) {
    if (open_.size() == rules_.depth) refuse(fmt::format("nested deeper than {} levels", rules_.depth));
    auto* const placed = place(std::move(container));
    open_.push_back({placed});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  /// What is JSON, and yet not to be: the place is that of a value.
  [[noreturn]] void refuse(const std::string& why) const {
    const auto line = rules_.file.empty() ? "" : fmt::format("{}: ", line_in(rules_.file, text_, taken_));
    const auto place = cut(pointer(), kLongestPlace);
    throw JsonShapeError(fmt::format("{}{}: {}", line, place, why), place, why);
  }

  /// Of the value that comes next.
  std::string pointer() const {
    json::json_pointer path;
    for (const auto& [container, key] : open_) {
      if (container->is_object())
        path /= key;
      else
        path /= container->size() - (container == open_.back().value ? 0 : 1);
    }
    return path.to_string();
  }

  std::string_view text_;
  const JsonRules& rules_;
  const std::size_t& taken_;
  json root_;
  std::vector<Open> open_;
};

/// Writes until there is no room left.
class ExcerptWriter {
 public:
  explicit ExcerptWriter(std::size_t longest) : longest_(longest) {}

  void write(const json& value, unsigned levels) {
    if (full()) return;
    if (value.is_object() || value.is_array())
      write_container(value, levels);
    else if (value.is_string())
      write_string(value.get_ref<const std::string&>());
    else
      text_ += value.dump();
  }

  std::string take() { return cut(std::move(text_), longest_); }

 private:
  bool full() const { return text_.size() > longest_; }

  void write_string(const std::string& text) {
    text_ += json(text.substr(0, longest_ + 1)).dump(-1, ' ', true, json::error_handler_t::replace);
  }

  void write_container(const json& value, unsigned levels) {
    const bool object = value.is_object();
    text_ += object ? '{' : '[';
    if (levels == 0 && !value.empty()) text_ += "…";
    bool first = true;
    for (auto item = value.begin(); levels > 0 && item != value.end() && !full(); ++item, first = false) {
      if (!first) text_ += ',';
      if (object) {
        write_string(item.key());
        text_ += ':';
      }
      write(*item, levels - 1);
    }
    text_ += object ? '}' : ']';
  }

  std::size_t longest_;
  std::string text_;
};

}  // namespace

json parse_json(std::string_view text, const JsonRules& rules) {
  if (text.size() > rules.size)
    throw InputError(fmt::format("{}{}{} bytes long, at most {} are read", rules.file, rules.file.empty() ? "" : ": ",
                                 text.size(), rules.size));
  if (rules.refuse_byte_order_mark && text.starts_with("\xef\xbb\xbf"))
    throw InputError(fmt::format("{}: it begins with a byte order mark", place_in(rules.file, text, 1)));
  // The parser takes it for the end of the text.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    throw InputError(fmt::format("{}: a NUL byte", place_in(rules.file, text, nul + 1)));
  std::size_t taken = 0;
  JsonBuilder builder(text, rules, taken);
  json::sax_parse(CountedCharacters{text.data(), &taken}, CountedCharacters{text.data() + text.size(), nullptr},
                  &builder);
  return builder.take();
}

std::string json_excerpt(const json& value, std::size_t longest) {
  ExcerptWriter writer(longest);
  writer.write(value, kShownLevels);
  return writer.take();
}

}  // namespace knetsim
