#include "json_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestFile = 16UL << 20;
constexpr std::size_t kLongestProblem = 1'000;

/// "an object", "a string"
std::string with_article(std::string_view type) {
  if (type == "null") return std::string(type);
  return (type == "object" || type == "array" ? "an " : "a ") + std::string(type);
}

std::string child_of(const std::string& pointer, const std::string& key) {
  return (json::json_pointer(pointer) / key).to_string();
}

}  // namespace

json parse_strict_json(const JsonSource& source) {
  try {
    return parse_json(source.text, {.size = kLongestFile, .refuse_doubled_keys = true, .file = source.file});
  } catch (const InputError& error) {
    throw InputError(
        fmt::format("{}\n  remedy: mend it at that place; docs/topology.md shows a whole one", error.what()));
  }
}

void JsonReader::remark_others(std::span<const std::string_view> known, const std::string& what,
                               std::vector<std::string>& remarks) const {
  for (const auto& [key, member] : members()) {
    const auto is_key = [&name = key](std::string_view one) {
      return one.size() == name.size() && strncasecmp(one.data(), name.data(), name.size()) == 0;
    };
    if (std::none_of(known.begin(), known.end(), is_key))
      remarks.push_back(
          fmt::format("{}: {}; it knows {}", source_.place(member.pointer_), what, fmt::join(known, ", ")));
  }
}

std::vector<std::pair<std::string, JsonReader>> JsonReader::members() const {
  std::vector<std::pair<std::string, JsonReader>> result;
  if (!value_.is_object()) return result;
  for (const auto& item : value_.items())
    result.emplace_back(item.key(), JsonReader(item.value(), source_, child_of(pointer_, item.key())));
  return result;
}

void JsonReader::complain(const std::string& problem, const std::string& remedy) const {
  throw InputError(fmt::format("{}: {}: {}{}", source_.place(pointer_), json_excerpt(value_, 80), problem,
                               remedy.empty() ? "" : "\n  remedy: " + remedy));
}

void JsonReader::complain_of(const InputError& error) const {
  std::string problem = error.what();
  if (problem.size() > kLongestProblem) problem.resize(kLongestProblem);
  complain(problem, problem.find("remedy: ") == std::string::npos ? "see docs/topology.md" : "");
}

void JsonReader::expect_keys(std::initializer_list<std::string_view> known) const {
  if (!value_.is_object())
    complain(fmt::format("is {}, must be an object", with_article(value_.type_name())),
             fmt::format("put it in {{ }}; its keys are {}", fmt::join(known, ", ")));
  for (const auto& [key, value] : value_.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      JsonReader(value, source_, child_of(pointer_, key))
          .complain("unknown key " + json_excerpt(key, 80), fmt::format("known here are {}", fmt::join(known, ", ")));
}

JsonReader JsonReader::at(const std::string& key) const {
  const auto found = value_.find(key);
  if (found == value_.end()) complain("the key \"" + key + "\" is missing", "add it");
  return {*found, source_, child_of(pointer_, key)};
}

std::string JsonReader::string(std::size_t longest) const {
  if (!value_.is_string())
    complain(fmt::format("is {}, must be a string", with_article(value_.type_name())), "put it in quotes");
  const auto& text = value_.get_ref<const std::string&>();
  if (text.size() > longest)
    complain(fmt::format("is {} bytes long", text.size()), fmt::format("at most {} bytes", longest));
  return text;
}

std::string JsonReader::name() const {
  auto text = string();
  if (text.empty()) complain("names nothing", "leave it out, or give the name");
  return text;
}

std::string JsonReader::choice(std::initializer_list<std::string_view> choices) const {
  auto text = string();
  if (std::find(choices.begin(), choices.end(), text) == choices.end())
    complain("no such choice", fmt::format("one of {}", fmt::join(choices, ", ")));
  return text;
}

bool JsonReader::boolean() const {
  if (!value_.is_boolean())
    complain(fmt::format("is {}, must be true or false", with_article(value_.type_name())), "write it without quotes");
  return value_.get<bool>();
}

unsigned JsonReader::number(unsigned min, unsigned max) const {
  const auto remedy = fmt::format("a whole number from {} to {}, without quotes", min, max);
  if (!value_.is_number())
    complain(fmt::format("is {}, must be a whole number", with_article(value_.type_name())), remedy);
  if (!value_.is_number_unsigned()) complain("must be a whole number", remedy);
  const auto number = value_.get<std::uint64_t>();
  if (number < min || number > max) complain("out of range", remedy);
  return static_cast<unsigned>(number);
}

std::vector<JsonReader> JsonReader::array() const {
  if (!value_.is_array())
    complain(fmt::format("is {}, must be an array", with_article(value_.type_name())), "put it in [ ]");
  std::vector<JsonReader> elements;
  for (std::size_t i = 0; i < value_.size(); ++i)
    elements.emplace_back(value_[i], source_, fmt::format("{}/{}", pointer_, i));
  return elements;
}

std::vector<JsonReader> JsonReader::one_or_more() const {
  return value_.is_array() ? array() : std::vector<JsonReader>{*this};
}

}  // namespace knetsim
