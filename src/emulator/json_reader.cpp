#include "json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestFile = 16UL << 20;
constexpr std::size_t kLongestPointer = 200;
constexpr std::size_t kLongestProblem = 1'000;

std::string shortened(const std::string& text, std::size_t longest) {
  return text.size() > longest ? text.substr(0, longest) + "..." : text;
}

}  // namespace

json parse_strict_json(std::string_view text, const std::string& file) {
  try {
    return parse_json(text, {.size = kLongestFile, .refuse_doubled_keys = true});
  } catch (const InputError& error) {
    throw InputError(
        fmt::format("{}: can't be read: {}\n  remedy: mend it at that place; docs/topology.md shows a "
                    "whole one",
                    file, error.what()));
  }
}

void JsonReader::complain(const std::string& problem, const std::string& remedy) const {
  throw InputError(fmt::format("{}: {}: {}: {}{}", file_, pointer_.empty() ? "/" : shortened(pointer_, kLongestPointer),
                               json_excerpt(value_, 80), shortened(problem, kLongestProblem),
                               remedy.empty() ? "" : "\n  remedy: " + remedy));
}

void JsonReader::expect_keys(std::initializer_list<std::string_view> known) const {
  if (!value_.is_object()) complain("must be an object", fmt::format("its keys are {}", fmt::join(known, ", ")));
  for (const auto& [key, value] : value_.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      JsonReader(value, file_, pointer_ + "/" + key)
          .complain("unknown key " + json_excerpt(key, 80), fmt::format("known here are {}", fmt::join(known, ", ")));
}

JsonReader JsonReader::at(const std::string& key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) complain("the key \"" + key + "\" is missing", "add it");
  return {*found, file_, pointer_ + "/" + key};
}

std::string JsonReader::string(std::size_t longest) const {
  if (!value_.is_string()) complain(fmt::format("is a {}, must be a string", value_.type_name()), "put it in quotes");
  const auto& text = value_.get_ref<const std::string&>();
  if (text.size() > longest)
    complain(fmt::format("is {} bytes long", text.size()), fmt::format("at most {} bytes", longest));
  return text;
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
