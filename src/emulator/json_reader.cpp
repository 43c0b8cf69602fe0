#include "json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "knetsim/sys/error.h"

namespace knetsim {

using nlohmann::json;

namespace {

/// Follows the parser through the document, to know where it is when a key comes a second time.
class KeyWatch {
 public:
  bool operator()(json::parse_event_t event, const json& parsed) {
    using Event = json::parse_event_t;
    if (event == Event::object_end || event == Event::array_end) {
      open_.pop_back();
    } else if (event == Event::key) {
      auto& object = open_.back();
      object.key = parsed.get<std::string>();
      if (!object.keys.insert(object.key).second && !doubled_) doubled_ = pointer();
    }
    if (event == Event::object_end || event == Event::array_end || event == Event::value) {
      if (!open_.empty() && open_.back().array) ++open_.back().index;
    } else if (event == Event::object_start || event == Event::array_start) {
      open_.push_back({.array = event == Event::array_start});
    }
    return true;
  }
  /// Of the first one that stands twice.
  const std::optional<json::json_pointer>& doubled() const { return doubled_; }

 private:
  struct Open {
    bool array = false;
    std::size_t index = 0;
    std::string key = {};
    std::set<std::string> keys = {};
  };

  json::json_pointer pointer() const {
    json::json_pointer path;
    for (const auto& one : open_) one.array ? path /= one.index : path /= one.key;
    return path;
  }

  std::vector<Open> open_;
  std::optional<json::json_pointer> doubled_;
};

}  // namespace

json parse_strict_json(std::string_view text, const std::string& file) {
  KeyWatch watch;
  json document;
  try {
    document = json::parse(text.begin(), text.end(),
                           [&](int, json::parse_event_t event, const json& parsed) { return watch(event, parsed); });
  } catch (const json::parse_error& error) {
    throw InputError(fmt::format(
        "{}: not JSON: {}\n  remedy: mend it at that place; docs/topology.md shows a whole one", file, error.what()));
  }
  if (const auto& doubled = watch.doubled())
    throw InputError(fmt::format("{}: {}: the key \"{}\" stands twice in one object\n  remedy: keep one of them", file,
                                 doubled->to_string(), doubled->back()));
  return document;
}

void JsonReader::complain(const std::string& problem, const std::string& remedy) const {
  auto shown = value_.dump();
  if (shown.size() > 80) shown = shown.substr(0, 77) + "...";
  throw InputError(fmt::format("{}: {}: {}: {}{}", file_, pointer_.empty() ? "/" : pointer_, shown, problem,
                               remedy.empty() ? "" : "\n  remedy: " + remedy));
}

void JsonReader::expect_keys(std::initializer_list<std::string_view> known) const {
  if (!value_.is_object()) complain("must be an object", fmt::format("its keys are {}", fmt::join(known, ", ")));
  for (const auto& [key, value] : value_.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      JsonReader(value, file_, pointer_ + "/" + key)
          .complain("unknown key \"" + key + "\"", fmt::format("known here are {}", fmt::join(known, ", ")));
}

JsonReader JsonReader::at(const std::string& key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) complain("the key \"" + key + "\" is missing", "add it");
  return {*found, file_, pointer_ + "/" + key};
}

std::string JsonReader::string() const {
  if (!value_.is_string()) complain(fmt::format("is a {}, must be a string", value_.type_name()), "put it in quotes");
  return value_.get<std::string>();
}

std::string JsonReader::choice(std::initializer_list<std::string_view> choices) const {
  auto text = string();
  if (std::find(choices.begin(), choices.end(), text) == choices.end())
    complain("no such choice", fmt::format("one of {}", fmt::join(choices, ", ")));
  return text;
}

bool JsonReader::boolean() const {
  if (!value_.is_boolean()) complain("must be true or false", "write it without quotes");
  return value_.get<bool>();
}

unsigned JsonReader::number(unsigned min, unsigned max) const {
  const auto remedy = fmt::format("a whole number from {} to {}, without quotes", min, max);
  if (!value_.is_number_unsigned()) complain("must be a whole number", remedy);
  const auto number = value_.get<std::uint64_t>();
  if (number < min || number > max) complain("out of range", remedy);
  return static_cast<unsigned>(number);
}

std::vector<JsonReader> JsonReader::array() const {
  if (!value_.is_array()) complain(fmt::format("is a {}, must be an array", value_.type_name()), "put it in [ ]");
  std::vector<JsonReader> elements;
  for (std::size_t i = 0; i < value_.size(); ++i)
    elements.emplace_back(value_[i], file_, fmt::format("{}/{}", pointer_, i));
  return elements;
}

std::vector<JsonReader> JsonReader::one_or_more() const {
  return value_.is_array() ? array() : std::vector<JsonReader>{*this};
}

}  // namespace knetsim
