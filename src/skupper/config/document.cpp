#include "document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>

#include "conf_document.h"
#include "knetsim/sys/error.h"
#include "knetsim/sys/json_text.h"

namespace knetsim::skupper {

namespace {

using nlohmann::json;

/// Takes the parser's events in the one order that makes a config.
class Handler {
 public:
  Handler(std::string_view text, const std::size_t& taken, const std::string& file)
      : text_(text), taken_(taken), file_(file) {}

  bool null() { return value(json()); }
  bool boolean(bool parsed) { return value(parsed); }
  bool number_integer(json::number_integer_t parsed) { return value(parsed); }
  bool number_unsigned(json::number_unsigned_t parsed) { return value(parsed); }
  bool number_float(json::number_float_t parsed, const std::string&) { return value(parsed); }
  bool binary(json::binary_t&) { return value(json()); }

  bool string(std::string& parsed) {
    if (nested_ == 0 && state_ == State::type) {
      entities_.push_back({.type = parsed, .line = line(), .attributes = {}});
      state_ = State::attributes;
      return true;
    }
    return value(parsed);
  }

  bool start_object(std::size_t) {
    if (nested_ > 0 || state_ == State::value) return open(json::object());
    if (state_ != State::attributes) complain("an object");
    state_ = State::name;
    return true;
  }

  bool key(std::string& name) {
    if (nested_ > 0) return true;
    auto& attributes = entities_.back().attributes;
    attributes.push_back({.name = name, .value = {}, .line = line()});
    state_ = State::value;
    return true;
  }

  bool end_object() {
    if (nested_ > 0) return close();
    state_ = State::end;
    return true;
  }

  bool start_array(std::size_t) {
    if (nested_ > 0 || state_ == State::value) return open(json::array());
    if (state_ == State::document)
      state_ = State::entity;
    else if (state_ == State::entity)
      state_ = State::type;
    else
      complain("an array");
    return true;
  }

  bool end_array() {
    if (nested_ > 0) return close();
    if (state_ == State::type || state_ == State::attributes) complain("the end of the array");
    state_ = State::entity;  // after the outermost one the parser takes nothing more
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
    throw InputError(fmt::format("{}: {}\n  remedy: write {}", place_in(file_, text_, position),
                                 reason_of_parse_error(error.what()), kShape));
  }

  std::vector<Entity> take() { return std::move(entities_); }

 private:
  /// What may come next.
  enum class State { document, entity, type, attributes, name, value, end };

  static constexpr const char* kShape = R"([["router", {"id": "a", "mode": "interior"}], ["listener", {...}], ...])";

  bool value(json parsed) {
    if (nested_ > 0) return true;
    if (state_ != State::value) complain(parsed.dump(-1, ' ', false, json::error_handler_t::replace));
    entities_.back().attributes.back().value = std::move(parsed);
    state_ = State::name;
    return true;
  }

  bool open(json placeholder) {
    if (nested_++ == 0) entities_.back().attributes.back().value = std::move(placeholder);
    return true;
  }

  bool close() {
    if (--nested_ == 0) state_ = State::name;
    return true;
  }

  [[noreturn]] void complain(const std::string& found) {
    constexpr const char* kExpected[] = {"a list of entities",
                                         "an entity, [name, {attributes}]",
                                         "an entity's name in quotes",
                                         "the entity's attributes, {...}",
                                         "an attribute",
                                         "a value",
                                         "the end of the entity, ]"};
    throw InputError(fmt::format("{}:{}: {} where {} must stand\n  remedy: write {}", file_, line(), found,
                                 kExpected[static_cast<int>(state_)], kShape));
  }

  /// The line of what the parser has just reported. It may have taken one character more than that.
  std::size_t line() {
    const auto end = taken_ > 0 ? taken_ - 1 : 0;
    for (; counted_ < end; ++counted_)
      if (text_[counted_] == '\n') ++line_;
    return line_;
  }

  std::string_view text_;
  const std::size_t& taken_;
  const std::string& file_;
  std::size_t counted_ = 0;
  std::size_t line_ = 1;
  State state_ = State::document;
  std::size_t nested_ = 0;
  std::vector<Entity> entities_;
};

/// Comments become spaces, so that lines and columns stay what they are.
std::string without_comments(std::string_view text) {
  std::string result(text);
  for (std::size_t start = 0; start < result.size();) {
    const auto end = std::min(result.find('\n', start), result.size());
    const auto first = result.find_first_not_of(" \t\r", start);
    if (first < end && result[first] == '#')
      std::fill(result.begin() + static_cast<std::ptrdiff_t>(start), result.begin() + static_cast<std::ptrdiff_t>(end),
                ' ');
    start = end + 1;
  }
  return result;
}

/// max-frame-size: maxFrameSize
std::string in_camel_case(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool joins = name[i] == '-' && i > 0 && i + 1 < name.size();
    if (joins) ++i;
    result.push_back(joins ? static_cast<char>(std::toupper(static_cast<unsigned char>(name[i]))) : name[i]);
  }
  return result;
}

/// One spelling for each word.
void normalize(std::vector<Entity>& entities, const std::string& file) {
  for (auto& entity : entities) {
    entity.type = in_camel_case(entity.type);
    std::map<std::string, std::size_t> lines;
    for (auto& attribute : entity.attributes) {
      attribute.name = in_camel_case(attribute.name);
      if (const auto [first, fresh] = lines.try_emplace(attribute.name, attribute.line); !fresh)
        throw InputError(
            fmt::format("{}:{}: {}: attribute {} stands twice, first in line {}\n  remedy: keep one of them", file,
                        attribute.line, entity.type, attribute.name, first->second));
    }
  }
}

std::vector<Entity> read_json_document(std::string_view text, const std::string& file) {
  const auto cleaned = without_comments(text);
  std::size_t taken = 0;
  Handler handler(cleaned, taken, file);
  const auto* const end = cleaned.data() + cleaned.size();
  json::sax_parse(CountedCharacters{cleaned.data(), &taken}, CountedCharacters{end, nullptr}, &handler);
  return handler.take();
}

}  // namespace

std::vector<Entity> read_document(std::string_view text, const std::string& file) {
  const bool conf = is_conf_syntax(text);
  if (conf && file.ends_with(".json"))
    throw InputError(
        fmt::format("{}: not JSON, but skrouterd's .conf syntax, which it reads only from files of other names\n  "
                    "remedy: rename it to end in .conf, or write [[\"router\", {{\"id\": \"a\", \"mode\": "
                    "\"interior\"}}], [\"listener\", {{...}}], ...]",
                    file));
  auto entities = conf ? read_conf_document(text, file) : read_json_document(text, file);
  normalize(entities, file);
  return entities;
}

}  // namespace knetsim::skupper
