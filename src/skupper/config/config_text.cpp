#include "config_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "knetsim/sys/error.h"
#include "knetsim/sys/text.h"

namespace knetsim::skupper {

namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '$';
  });
}

/// A line without its comment. Wildcards and defaults of vhosts are written with #.
std::string_view without_comment(std::string_view line) {
  constexpr std::array<std::string_view, 3> kWithHash{"pattern", "bindingKey", "hostname"};
  const auto name = trim(line.substr(0, line.find(':')));
  if (line.starts_with('#')) return {};
  if (std::find(kWithHash.begin(), kWithHash.end(), name) != kWithHash.end()) return line;
  return trim(line.substr(0, line.find('#')));
}

template <typename Take>
void for_each_line(std::string_view text, Take take) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

/// Takes the lines of a config in the .conf syntax, one after the other.
class ConfTranslator {
 public:
  explicit ConfTranslator(const std::string& file) : file_(file) {}

  void line(std::string_view text) {
    ++line_;
    text = without_comment(trim(text));
    if (nested_ > 0) {
      // What is in there isn't looked at; braces that open and close on one line cancel out.
      nested_ += std::count(text.begin(), text.end(), '{') - std::count(text.begin(), text.end(), '}');
      if (nested_ < 0) complain(text, "the end of the map");
    } else if (text == "}") {
      if (!open_) complain(text, "the beginning of an entity, \"listener {\",");
      open_ = false;
      json_ += "}]";
    } else if (!text.empty()) {
      open_ ? attribute(text) : entity(text);
    }
    json_ += '\n';
  }

  std::string take() {
    if (open_ || nested_ > 0)
      throw InputError(
          fmt::format("{}:{}: {} begins here and doesn't end\n  remedy: close it with }} on a line of its own", file_,
                      entity_line_, entity_));
    return std::move(json_) + "]";
  }

 private:
  void entity(std::string_view text) {
    entity_ = trim(text.substr(0, text.size() - 1));
    if (!text.ends_with('{') || !is_word(entity_)) complain(text, "the beginning of an entity, \"listener {\",");
    json_ += fmt::format("{}[\"{}\",{{", entity_line_ == 0 ? "" : ",", entity_);
    entity_line_ = line_;
    open_ = true;
    first_ = true;
  }

  void attribute(std::string_view text) {
    const auto colon = text.find(':');
    const auto name = trim(text.substr(0, colon));
    const auto value = colon == std::string_view::npos ? std::string_view() : trim(text.substr(colon + 1));
    if (!is_word(name) || value.empty()) complain(text, "an attribute, \"port: 5672\", or the entity's end, }");
    if (value == "{") nested_ = 1;
    const auto written =
        nested_ > 0 ? "{}" : nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    json_ += fmt::format("{}\"{}\":{}", std::exchange(first_, false) ? "" : ",", name, written);
  }

  [[noreturn]] void complain(std::string_view found, std::string_view expected) const {
    throw InputError(
        fmt::format("{}:{}: \"{}\" where {} must stand\n  remedy: write each on a line of its own, as "
                    "skrouterd's .conf files have it, or the config in JSON",
                    file_, line_, found.substr(0, 80), expected));
  }

  const std::string& file_;
  std::string json_ = "[";
  std::size_t line_ = 0;
  std::string entity_;
  std::size_t entity_line_ = 0;
  std::ptrdiff_t nested_ = 0;
  bool open_ = false;
  bool first_ = true;  // no attribute of the entity was written yet
};

/// Whether its first line that says something begins an entity of the .conf syntax.
bool is_conf_syntax(std::string_view text) {
  std::string first;
  for_each_line(text, [&](std::string_view line) {
    if (first.empty()) first = without_comment(trim(line));
  });
  return is_word(trim(std::string_view(first).substr(0, first.find('{')))) && first.ends_with('{');
}

}  // namespace

std::string config_as_json(std::string_view text, const std::string& file) {
  if (is_conf_syntax(text)) {
    if (file.ends_with(".json"))
      throw InputError(
          fmt::format("{}: not JSON, but skrouterd's .conf syntax, which it reads only from files of other names\n  "
                      "remedy: rename it to end in .conf, or write [[\"router\", {{\"id\": \"a\", \"mode\": "
                      "\"interior\"}}], [\"listener\", {{...}}], ...]",
                      file));
    ConfTranslator translator(file);
    for_each_line(text, [&](std::string_view line) { translator.line(line); });
    return translator.take();
  }
  std::string json;
  for_each_line(text, [&](std::string_view line) {
    if (!trim(line).starts_with('#')) json += line;
    if (line.data() + line.size() != text.data() + text.size()) json += '\n';
  });
  return json;
}

}  // namespace knetsim::skupper
