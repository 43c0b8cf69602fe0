#include "json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "knetsim/sys/error.h"

namespace knetsim {

using nlohmann::json;

json parse_strict_json(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> keys_of_open_objects;
  std::optional<std::string> doubled;
  const auto watch_keys = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) keys_of_open_objects.emplace_back();
    if (event == json::parse_event_t::object_end) keys_of_open_objects.pop_back();
    if (event == json::parse_event_t::key && !keys_of_open_objects.back().insert(parsed.get<std::string>()).second)
      doubled = doubled.value_or(parsed.get<std::string>());
    return true;
  };
  json document;
  try {
    document = json::parse(text.begin(), text.end(), watch_keys);
  } catch (const json::parse_error& error) {
    throw InputError(fmt::format("{}: not JSON: {}", file, error.what()));
  }
  if (doubled)
    throw InputError(
        fmt::format("{}: the key \"{}\" stands twice in one object\n  remedy: keep one of them", file, *doubled));
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
