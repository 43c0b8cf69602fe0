#include "conf_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "knetsim/sys/error.h"

namespace knetsim::skupper {

namespace {

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '$';
  });
}

/// A line without its comment. Wildcards and defaults of vhosts are written with #.
std::string_view without_comment(std::string_view line) {
  constexpr std::array<std::string_view, 3> kWithHash{"pattern", "bindingKey", "hostname"};
  const auto name = without_blanks(line.substr(0, line.find(':')));
  if (line.starts_with('#')) return {};
  if (std::find(kWithHash.begin(), kWithHash.end(), name) != kWithHash.end()) return line;
  return without_blanks(line.substr(0, line.find('#')));
}

/// Takes the lines of a config, one after the other.
class ConfReader {
 public:
  explicit ConfReader(const std::string& file) : file_(file) {}

  void line(std::string_view text) {
    ++line_;
    text = without_comment(without_blanks(text));
    if (text.empty()) return;
    if (nested_ > 0) {
      // What is in there isn't looked at; braces that open and close on one line cancel out.
      nested_ += std::count(text.begin(), text.end(), '{') - std::count(text.begin(), text.end(), '}');
      if (nested_ < 0) complain(text, "the end of the map");
      return;
    }
    if (text == "}") {
      if (!open_) complain(text, "the beginning of an entity, \"listener {\",");
      open_ = false;
      return;
    }
    open_ ? attribute(text) : entity(text);
  }

  std::vector<Entity> take() {
    if (open_ || nested_ > 0)
      throw InputError(
          fmt::format("{}:{}: {} begins here and doesn't end\n  remedy: close it with }} on a line of its own", file_,
                      entities_.back().line, entities_.back().type));
    return std::move(entities_);
  }

 private:
  void entity(std::string_view text) {
    const auto name = without_blanks(text.substr(0, text.size() - 1));
    if (!text.ends_with('{') || !is_word(name)) complain(text, "the beginning of an entity, \"listener {\",");
    entities_.push_back({.type = std::string(name), .line = line_, .attributes = {}});
    open_ = true;
  }

  void attribute(std::string_view text) {
    const auto colon = text.find(':');
    const auto name = without_blanks(text.substr(0, colon));
    const auto value = colon == std::string_view::npos ? std::string_view() : without_blanks(text.substr(colon + 1));
    if (!is_word(name) || value.empty()) complain(text, "an attribute, \"port: 5672\", or the entity's end, }");
    const bool map = value == "{";
    if (map) nested_ = 1;
    entities_.back().attributes.push_back({.name = std::string(name),
                                           .value = map ? nlohmann::json::object() : nlohmann::json(std::string(value)),
                                           .line = line_});
  }

  [[noreturn]] void complain(std::string_view found, std::string_view expected) const {
    throw InputError(
        fmt::format("{}:{}: \"{}\" where {} must stand\n  remedy: write each on a line of its own, as "
                    "skrouterd's .conf files have it, or the config in JSON",
                    file_, line_, found.substr(0, 80), expected));
  }

  const std::string& file_;
  std::size_t line_ = 0;
  std::ptrdiff_t nested_ = 0;
  bool open_ = false;
  std::vector<Entity> entities_;
};

}  // namespace

bool is_conf_syntax(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = without_comment(without_blanks(text.substr(0, end)));
    if (!line.empty()) return is_word(without_blanks(line.substr(0, line.find('{')))) && line.ends_with('{');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return false;
}

std::vector<Entity> read_conf_document(std::string_view text, const std::string& file) {
  ConfReader reader(file);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    reader.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.take();
}

}  // namespace knetsim::skupper
