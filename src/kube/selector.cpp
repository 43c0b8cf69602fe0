#include "knetsim/kube/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "knetsim/kube/access.h"
#include "names.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestSelector = 64 * 1024;

/// Splits a label selector into words and operators, as upstream's lexer.
class SelectorWords {
 public:
  explicit SelectorWords(std::string_view text) : text_(text) {}

  /// Empty at the end.
  std::string_view next() {
    while (!text_.empty() && is_space(text_.front())) text_.remove_prefix(1);
    std::size_t size = 0;
    if (!text_.empty() && is_special(text_.front())) {
      // Those of two letters are "==", "!=".
      size = text_.size() > 1 && text_[1] == '=' && (text_.front() == '=' || text_.front() == '!') ? 2 : 1;
    } else {
      while (size < text_.size() && !is_special(text_[size]) && !is_space(text_[size])) ++size;
    }
    const auto word = text_.substr(0, size);
    text_.remove_prefix(size);
    return word;
  }

  std::string_view peek() const { return SelectorWords(*this).next(); }

  static bool is_special(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  std::string_view text_;
};

[[noreturn]] void unexpected(std::string_view found, std::string_view expected) {
  throw bad_request(
      fmt::format("unable to parse requirement: found '{}', expected: {}", found.substr(0, 100), expected));
}

bool is_word(std::string_view word) { return !word.empty() && !SelectorWords::is_special(word.front()); }

std::vector<std::string> take_values(SelectorWords& words) {
  if (const auto open = words.next(); open != "(") unexpected(open, "'('");
  std::vector<std::string> values;
  while (true) {
    const auto word = words.next();
    if (word == ")") {
      values.emplace_back();
      return values;
    }
    if (word == ",") {
      values.emplace_back();
      continue;
    }
    if (!is_word(word)) unexpected(word, "',', or ')'");
    values.emplace_back(word);
    const auto end = words.next();
    if (end == ")") return values;
    if (end != ",") unexpected(end, "',' or ')'");
  }
}

void check_requirement(const LabelSelector::Requirement& requirement) {
  if (const auto problem = qualified_name_problem(requirement.key); !problem.empty()) {
    throw bad_request(fmt::format(
        "unable to parse requirement: <nil>: Invalid value: {}: {}",
        json(requirement.key.substr(0, 100)).dump(-1, ' ', false, json::error_handler_t::replace), problem));
  }
  for (const auto& value : requirement.values) {
    if (const auto problem = label_value_problem(value); !problem.empty()) {
      throw bad_request(
          fmt::format("unable to parse requirement: values[0][{}]: Invalid value: {}: {}", requirement.key,
                      json(value.substr(0, 100)).dump(-1, ' ', false, json::error_handler_t::replace), problem));
    }
  }
}

std::optional<std::int64_t> label_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

LabelSelector::Requirement take_requirement(SelectorWords& words) {
  using Operator = LabelSelector::Operator;
  LabelSelector::Requirement requirement;
  auto key = words.next();
  if (key == "!") {
    key = words.next();
    if (!is_word(key)) unexpected(key, "identifier");
    return {.key = std::string(key), .op = Operator::absent, .values = {}};
  }
  if (!is_word(key)) unexpected(key, "!, identifier, or 'end of string'");
  requirement.key = key;
  const auto following = words.peek();
  if (following.empty() || following == ",") return requirement;
  const auto op = words.next();
  if (op == "in" || op == "notin") {
    requirement.op = op == "in" ? Operator::in : Operator::not_in;
    requirement.values = take_values(words);
    return requirement;
  }
  if (op == "=" || op == "==") {
    requirement.op = Operator::in;
  } else if (op == "!=") {
    requirement.op = Operator::not_in;
  } else if (op == ">" || op == "gt") {
    requirement.op = Operator::greater;
  } else if (op == "<" || op == "lt") {
    requirement.op = Operator::less;
  } else {
    unexpected(op, "in, notin, =, ==, !=, gt, lt");
  }
  // An empty value may stand at the end or in front of a comma.
  const auto value = words.peek();
  if (is_word(value)) {
    requirement.values.emplace_back(words.next());
  } else if (value.empty() || value == ",") {
    requirement.values.emplace_back();
  } else {
    unexpected(value, "identifier");
  }
  return requirement;
}

bool holds(const LabelSelector::Requirement& requirement, const json& labels) {
  using Operator = LabelSelector::Operator;
  const auto& value = member(labels, requirement.key);
  const bool there = value.is_string();
  const auto listed = [&] { return std::ranges::find(requirement.values, text_in(value)) != requirement.values.end(); };
  switch (requirement.op) {
    case Operator::in:
      return there && listed();
    case Operator::not_in:
      return !there || !listed();
    case Operator::exists:
      return there;
    case Operator::absent:
      return !there;
    case Operator::greater:
    case Operator::less:
      break;
  }
  if (!there || requirement.values.size() != 1) return false;
  const auto have = label_integer(text_in(value));
  const auto bound = label_integer(requirement.values.front());
  if (!have || !bound) return false;
  return requirement.op == Operator::greater ? *have > *bound : *have < *bound;
}

std::string selectable_text(const SelectableField& field, const json& object) {
  const auto* value = &object;
  for (auto path = field.path; !path.empty() && !value->is_null();) {
    path.remove_prefix(1);
    const auto step = path.substr(0, path.find('/'));
    path.remove_prefix(step.size());
    value = &member(*value, step);
  }
  if (value->is_string()) return text_in(*value);
  return value->is_null() ? std::string(field.absent) : value->dump();
}

/// "\\," is a comma, "\\=" an equals sign, "\\\\" a backslash.
std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[i];
      parts.back() += text[++i];
    } else if (text[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

std::string without_escapes(std::string_view text, std::string_view whole) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      if (i + 1 == text.size() || std::string_view("\\,=").find(text[i + 1]) == std::string_view::npos) {
        throw bad_request(
            fmt::format("invalid field selector: invalid escape sequence in \"{}\"", whole.substr(0, 100)));
      }
      ++i;
    }
    plain += text[i];
  }
  return plain;
}

}  // namespace

LabelSelector LabelSelector::parse(std::string_view text) {
  if (text.size() > kLongestSelector) throw bad_request("unable to parse requirement: the selector is too long");
  LabelSelector selector;
  SelectorWords words(text);
  if (words.peek().empty()) return selector;
  while (true) {
    auto requirement = take_requirement(words);
    check_requirement(requirement);
    selector.requirements_.push_back(std::move(requirement));
    const auto end = words.next();
    if (end.empty()) return selector;
    if (end != ",") unexpected(end, "',' or 'end of string'");
    if (!is_word(words.peek()) && words.peek() != "!") unexpected(words.peek(), "identifier after ','");
  }
}

LabelSelector LabelSelector::of(const json& selector) {
  if (!selector.is_object()) {
    LabelSelector nothing;
    nothing.nothing_ = true;
    return nothing;
  }
  auto result = of_map(member(selector, "matchLabels"));
  for (const auto& each : list_at(selector, "matchExpressions")) {
    Requirement requirement{.key = text_at(each, "key"), .op = Operator::exists, .values = {}};
    const auto& op = text_at(each, "operator");
    if (op == "In") requirement.op = Operator::in;
    if (op == "NotIn") requirement.op = Operator::not_in;
    if (op == "DoesNotExist") requirement.op = Operator::absent;
    for (const auto& value : list_at(each, "values")) requirement.values.push_back(text_in(value));
    result.requirements_.push_back(std::move(requirement));
  }
  return result;
}

LabelSelector LabelSelector::of_map(const json& labels) {
  LabelSelector selector;
  if (!labels.is_object()) return selector;
  for (const auto& [key, value] : labels.items()) {
    selector.requirements_.push_back({.key = key, .op = Operator::in, .values = {text_in(value)}});
  }
  return selector;
}

bool LabelSelector::matches(const json& object) const { return matches_labels(member(object, "metadata", "labels")); }

bool LabelSelector::matches_labels(const json& labels) const {
  return !nothing_ && std::ranges::all_of(requirements_, [&](const auto& each) { return holds(each, labels); });
}

FieldSelector FieldSelector::parse(const Kind& kind, std::string_view text) {
  if (text.size() > kLongestSelector) throw bad_request("invalid field selector: it is too long");
  std::vector<SelectableField> known{{"metadata.name", "/metadata/name"}};
  if (kind.namespaced) known.push_back({"metadata.namespace", "/metadata/namespace"});
  known.insert(known.end(), kind.fields.begin(), kind.fields.end());
  FieldSelector selector;
  for (const auto& part : split_at_commas(text)) {
    if (part.empty()) continue;
    std::size_t at = 0;
    while (at < part.size() && part[at] != '=' && !(part[at] == '!' && at + 1 < part.size() && part[at + 1] == '=')) {
      at += part[at] == '\\' ? 2 : 1;
    }
    if (at >= part.size()) {
      throw bad_request(fmt::format("invalid selector: '{0}'; can't understand '{0}'", part.substr(0, 100)));
    }
    Requirement requirement;
    requirement.equal = part[at] == '=';
    const auto after = at + (part[at] == '!' || (at + 1 < part.size() && part[at + 1] == '=') ? 2 : 1);
    requirement.value = without_escapes(std::string_view(part).substr(after), text);
    const auto name = part.substr(0, at);
    const auto found = std::ranges::find(known, name, &SelectableField::name);
    if (found == known.end()) {
      std::string message = fmt::format("field label not supported: {}", name.substr(0, 100));
      if (kind.fields.empty()) {
        message = fmt::format("\"{}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
                              name.substr(0, 100));
      }
      throw bad_request(message);
    }
    requirement.field = *found;
    selector.requirements_.push_back(std::move(requirement));
  }
  return selector;
}

bool FieldSelector::matches(const json& object) const {
  return std::ranges::all_of(requirements_, [&](const auto& each) {
    return (selectable_text(each.field, object) == each.value) == each.equal;
  });
}

std::optional<std::string> FieldSelector::wants(std::string_view field) const {
  for (const auto& each : requirements_)
    if (each.equal && each.field.name == field) return each.value;
  return std::nullopt;
}

std::string selector_text(const json& selector) {
  std::vector<std::string> parts;
  if (const auto& labels = member(selector, "matchLabels"); labels.is_object())
    for (const auto& [key, value] : labels.items()) parts.push_back(fmt::format("{}={}", key, text_in(value)));
  for (const auto& each : list_at(selector, "matchExpressions")) {
    const auto& key = text_at(each, "key");
    const auto& op = text_at(each, "operator");
    std::vector<std::string> values;
    for (const auto& value : list_at(each, "values")) values.push_back(text_in(value));
    std::ranges::sort(values);
    std::string listed;
    for (const auto& value : values) listed += (listed.empty() ? "" : ",") + value;
    if (op == "In") parts.push_back(fmt::format("{} in ({})", key, listed));
    if (op == "NotIn") parts.push_back(fmt::format("{} notin ({})", key, listed));
    if (op == "Exists") parts.push_back(key);
    if (op == "DoesNotExist") parts.push_back("!" + key);
  }
  std::ranges::sort(parts);
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

}  // namespace knetsim::kube
