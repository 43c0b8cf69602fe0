#include "knetsim/sys/json_place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <cmath>

#include "knetsim/sys/text.h"

namespace knetsim {

using nlohmann::json;

namespace {

constexpr std::size_t kLongestShown = 80;

/// "an object", "null"
std::string with_article(std::string_view type) {
  if (type == "null") return std::string(type);
  return (type == "object" || type == "array" ? "an " : "a ") + std::string(type);
}

std::string below(const std::string& pointer, std::string_view key) {
  return pointer + (json::json_pointer() / std::string(key)).to_string();
}

/// Looked for by its address, without recursion: a document may have been made by another door than ours.
std::string pointer_to(const json& wanted, const json& root) {
  struct Level {
    const json* container;
    json::const_iterator next;
  };
  std::vector<Level> levels;
  for (const auto* here = &root; here != &wanted; here = &*levels.back().next++) {
    if (here->is_structured()) levels.push_back({here, here->begin()});
    while (!levels.empty() && levels.back().next == levels.back().container->end()) levels.pop_back();
    if (levels.empty()) return {};
  }
  std::string pointer;
  for (const auto& [container, next] : levels) {
    const auto at = std::prev(next);
    pointer += container->is_object() ? below({}, at.key()) : fmt::format("/{}", at - container->begin());
  }
  return pointer;
}

bool same_key(std::string_view one, std::string_view other, bool any_case) {
  return one == other ||
         (any_case && one.size() == other.size() && strncasecmp(one.data(), other.data(), one.size()) == 0);
}

bool is_one_of(std::initializer_list<std::string_view> known, std::string_view key, bool any_case) {
  return std::any_of(known.begin(), known.end(), [&](auto one) { return same_key(one, key, any_case); });
}

/// "did you mean "workers"? "; empty if nothing is near.
std::string meant(std::string_view key, std::initializer_list<std::string_view> known) {
  const auto near = nearest(key, {known.begin(), known.end()});
  return near.empty() ? near : fmt::format("did you mean \"{}\"? ", near);
}

}  // namespace

JsonDocument read_json(JsonSource source, const JsonRules& rules) {
  auto of_file = rules;
  of_file.file = source.file;
  try {
    auto value = parse_json(source.text, of_file);
    return {.value = std::move(value), .source = std::move(source), .rules = rules};
  } catch (const JsonShapeError& error) {
    throw JsonShapeError(describe({.answer = error.what(), .remedy = source.help}), error.pointer(), error.problem());
  } catch (const InputError& error) {
    throw InputError(describe({.answer = error.what(), .remedy = source.help}));
  }
}

JsonPlace JsonPlace::operator[](std::string_view key) const {
  if (const auto member = find(key)) return *member;
  refuse_member(key, fmt::format("the key \"{}\" is missing", key), "add it");
}

std::optional<JsonPlace> JsonPlace::find(std::string_view key) const {
  auto found = object().find(key);
  if (found == value_->end() && document_->rules.keys_in_any_case)
    for (found = value_->begin(); found != value_->end(); ++found)
      if (same_key(found.key(), key, true)) break;
  if (found == value_->end() || (found->is_null() && document_->rules.null_is_absent)) return std::nullopt;
  return JsonPlace(*found, *document_);
}

std::vector<std::pair<std::string_view, JsonPlace>> JsonPlace::members() const {
  std::vector<std::pair<std::string_view, JsonPlace>> all;
  for (const auto& [key, value] : object().items()) all.emplace_back(key, JsonPlace(value, *document_));
  return all;
}

std::vector<JsonPlace> JsonPlace::members_other_than(std::initializer_list<std::string_view> known) const {
  std::vector<JsonPlace> others;
  for (const auto& [key, member] : members())
    if (!is_one_of(known, key, document_->rules.keys_in_any_case)) others.push_back(member);
  return others;
}

void JsonPlace::expect_members(std::initializer_list<std::string_view> known) const {
  if (!value_->is_object())
    refuse_type("an object", fmt::format("put it in {{ }}; its keys are {}", fmt::join(known, ", ")));
  for (const auto& [key, member] : members())
    if (!is_one_of(known, key, document_->rules.keys_in_any_case))
      member.refuse("unknown key " + json_excerpt(key, kLongestShown),
                    fmt::format("{}known here are {}", meant(key, known), fmt::join(known, ", ")));
}

JsonPlace JsonPlace::operator[](std::size_t index) const {
  if (!value_->is_array()) refuse_type("an array", "put it in [ ]");
  if (index >= value_->size()) refuse(fmt::format("has {} elements, where {} are needed", value_->size(), index + 1));
  return {(*value_)[index], *document_};
}

std::vector<JsonPlace> JsonPlace::elements() const {
  if (!value_->is_array()) refuse_type("an array", "put it in [ ]");
  std::vector<JsonPlace> all;
  all.reserve(value_->size());
  for (const auto& element : *value_) all.push_back(JsonPlace(element, *document_));
  return all;
}

std::vector<JsonPlace> JsonPlace::elements(std::string_view key) const {
  const auto member = find(key);
  return member ? member->elements() : std::vector<JsonPlace>{};
}

std::vector<JsonPlace> JsonPlace::one_or_more() const {
  return value_->is_array() ? elements() : std::vector<JsonPlace>{*this};
}

bool JsonPlace::boolean() const {
  if (!value_->is_boolean()) refuse_type("true or false", "write it without quotes");
  return value_->get<bool>();
}

std::string JsonPlace::string_up_to(std::size_t longest) const {
  if (!value_->is_string()) refuse_type("a string", "put it in quotes");
  const auto& text = value_->get_ref<const std::string&>();
  if (text.size() > longest)
    refuse(fmt::format("is {} bytes long", text.size()), fmt::format("at most {} bytes", longest));
  return text;
}

std::string JsonPlace::choice(const std::vector<std::string>& choices) const {
  auto text = string();
  if (std::find(choices.begin(), choices.end(), text) == choices.end())
    refuse("no such choice", fmt::format("one of {}", fmt::join(choices, ", ")));
  return text;
}

double JsonPlace::real() const {
  if (!value_->is_number()) refuse_type("a number", "write it without quotes");
  const auto number = value_->get<double>();
  if (!std::isfinite(number)) refuse("must be a finite number");
  return number;
}

void JsonPlace::refuse(const std::string& problem, const std::string& remedy) const {
  throw JsonError(document_->source, {pointer(), json_excerpt(*value_, kLongestShown), problem,
                                      document_->rules.remedies ? remedy : std::string{}});
}

void JsonPlace::refuse_member(std::string_view key, const std::string& problem, const std::string& remedy) const {
  throw JsonError(document_->source,
                  {below(pointer(), key), {}, problem, document_->rules.remedies ? remedy : std::string{}});
}

void JsonPlace::refuse_type(std::string_view wanted, const std::string& remedy) const {
  refuse(fmt::format("is {}, must be {}", with_article(value_->type_name()), wanted), remedy);
}

void JsonPlace::refuse_integer(const std::string& min, const std::string& max) const {
  const auto remedy = fmt::format("a whole number from {} to {}, without quotes", min, max);
  if (!value_->is_number()) refuse_type("a whole number", remedy);
  refuse(value_->is_number_integer() ? "out of range" : "must be a whole number", remedy);
}

const json& JsonPlace::object() const {
  if (!value_->is_object()) refuse_type("an object", "put it in { }");
  return *value_;
}

std::string JsonPlace::place() const { return document_->source.place(pointer()); }

std::string JsonPlace::pointer() const { return pointer_to(*value_, document_->value); }

}  // namespace knetsim
