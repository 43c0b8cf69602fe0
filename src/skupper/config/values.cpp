#include "values.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json.h"

namespace knetsim::skupper {

namespace {

using nlohmann::json;

constexpr std::int64_t kAuto = -1;

// The names that skrouterd's own documentation uses; there are more in the machine's /etc/services, if it has one.
const std::map<std::string, std::int64_t, std::less<>> kServices{
    {"amqp", 5672}, {"amqps", 5671}, {"http", 80}, {"https", 443}};

std::optional<std::int64_t> port_of_service(const std::string& name) {
  if (const auto known = kServices.find(name); known != kServices.end()) return known->second;
  servent entry{};
  servent* found = nullptr;
  std::array<char, 1024> buffer{};
  if (::getservbyname_r(name.c_str(), "tcp", &entry, buffer.data(), buffer.size(), &found) != 0 || !found)
    return std::nullopt;
  return ntohs(static_cast<std::uint16_t>(found->s_port));
}

std::string shown(const json& value) { return json_excerpt(value, 80); }

std::optional<std::int64_t> whole_number(const json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    return static_cast<std::int64_t>(std::min<std::uint64_t>(number, std::numeric_limits<std::int64_t>::max()));
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  std::int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code == std::errc::result_out_of_range) return std::numeric_limits<std::int64_t>::max();
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<bool> truth(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();
    return number == 0 || number == 1 ? std::optional(number == 1) : std::nullopt;
  }
  if (!value.is_string()) return std::nullopt;
  auto word = value.get<std::string>();
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  if (word == "yes" || word == "true" || word == "on") return true;
  if (word == "no" || word == "false" || word == "off") return false;
  return std::nullopt;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::vector<std::string_view> names(const std::vector<AttributeRule>& rules, bool named) {
  std::vector<std::string_view> result;
  if (named) result.emplace_back("name");
  for (const auto& rule : rules) result.push_back(rule.name);
  return result;
}

}  // namespace

Values::Values(const Entity& entity, std::size_t position, const std::string& file)
    : entity_(entity), position_(position), file_(file) {
  const auto& known = rule();
  static const AttributeRule kName{.name = "name"};
  for (const auto& attribute : entity.attributes) {
    const auto found = std::find_if(known.attributes.begin(), known.attributes.end(),
                                    [&](const AttributeRule& one) { return one.name == attribute.name; });
    const auto* one = known.named && attribute.name == kName.name ? &kName
                      : found != known.attributes.end()           ? &*found
                                                                  : nullptr;
    if (one == nullptr)
      complain(attribute.name, "there is no such attribute",
               fmt::format("known here are {}", fmt::join(names(known.attributes, known.named), ", ")));
    auto value = convert(*one, attribute);
    if (one->use == Use::unsupported) {
      const auto* flag = std::get_if<bool>(&value);
      const auto* word = std::get_if<std::string>(&value);
      if ((flag != nullptr && *flag) || (word != nullptr && *word != one->harmless))
        complain(attribute.name, "skrouterd can do that, the built-in router can't",
                 "leave it away, or use a real skrouterd");
    }
    if (one->use == Use::no_effect)
      without_effect_.push_back(fmt::format("{}: attribute {} has no effect", subject(), attribute.name));
    values_.emplace(attribute.name, std::move(value));
  }
  const auto demand = [&](const AttributeRule& one) {
    if (!values_.contains(one.name) || (one.kind == Kind::text && text(one.name).empty()))
      complain(one.name, values_.contains(one.name) ? "must not be empty" : "is missing",
               fmt::format("add \"{}\": ...", one.name));
  };
  if (known.named && values_.contains(kName.name)) demand(kName);
  for (const auto& one : known.attributes)
    if (one.required) demand(one);
}

void Values::name_unless_named(std::set<std::string>& taken) {
  if (!rule().named || values_.contains("name")) return;
  const auto written = [&](std::string_view name) -> std::string {
    for (const auto& attribute : entity_.attributes)
      if (attribute.name == name)
        return attribute.value.is_string() ? attribute.value.get<std::string>() : shown(attribute.value);
    return {};
  };
  const auto base = fmt::format("{}/{}:{}", type(), written("host"), written("port"));
  auto name = base;
  for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}/{}", base, number);
  values_.emplace("name", name);
}

const EntityRule& Values::rule() const {
  std::vector<std::string_view> known;
  for (const auto& one : schema()) {
    if (one.type == entity_.type) return one;
    known.push_back(one.type);
  }
  throw InputError(fmt::format("{}:{}: entity {}, {}: there is no such entity\n  remedy: known here are {}", file_,
                               entity_.line, position_, shown(entity_.type), fmt::join(known, ", ")));
}

Values::Value Values::to_number(const AttributeRule& rule, const json& value) const {
  const bool is_port = rule.kind == Kind::port;
  if (rule.kind == Kind::number_or_auto && value == "auto") return kAuto;
  if (is_port && value.is_string())
    if (const auto port = port_of_service(value.get_ref<const std::string&>())) return *port;
  const auto number = whole_number(value);
  const auto remedy = fmt::format("give a whole number from {} to {}{}", rule.min, rule.max,
                                  is_port                             ? ", \"amqp\", or a service's name"
                                  : rule.kind == Kind::number_or_auto ? ", or \"auto\""
                                                                      : "");
  if (!number) complain(rule.name, is_port ? "isn't a port" : "isn't a whole number", remedy);
  if (*number < rule.min || *number > rule.max) complain(rule.name, "is out of range", remedy);
  return *number;
}

Values::Value Values::convert(const AttributeRule& rule, const Attribute& attribute) const {
  const auto& value = attribute.value;
  switch (rule.kind) {
    case Kind::anything:
      return std::string();
    case Kind::number:
    case Kind::number_or_auto:
    case Kind::port:
      return to_number(rule, value);
    case Kind::boolean:
      if (const auto known = truth(value)) return *known;
      complain(rule.name, "isn't a boolean", "give true or false");
    case Kind::text:
    case Kind::choice:
      break;
  }
  if (!value.is_string() && !value.is_number()) complain(rule.name, "isn't a string", "put it in quotes");
  auto text = value.is_string() ? value.get<std::string>() : value.dump();
  if (has_control_characters(text)) complain(rule.name, "has control characters in it", "leave them away");
  if (rule.kind == Kind::choice && std::find(rule.choices.begin(), rule.choices.end(), text) == rule.choices.end())
    complain(rule.name, "is no choice", fmt::format("one of {}", fmt::join(rule.choices, ", ")));
  return text;
}

std::string Values::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string(otherwise) : std::get<std::string>(found->second);
}

bool Values::boolean(std::string_view name, bool otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : std::get<bool>(found->second);
}

std::int64_t Values::number(std::string_view name, std::int64_t otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() || found->second == Value(kAuto) ? otherwise : std::get<std::int64_t>(found->second);
}

std::string Values::subject() const {
  for (const auto& attribute : entity_.attributes)
    if (attribute.name == "name" && attribute.value.is_string())
      return fmt::format("{} {}", entity_.type, shown(attribute.value));
  return entity_.type;
}

void Values::complain(std::string_view attribute, std::string_view problem, std::string_view remedy) const {
  auto line = entity_.line;
  std::string value;
  for (const auto& one : entity_.attributes)
    if (one.name == attribute) {
      line = one.line;
      value = shown(one.value) + ": ";
    }
  throw InputError(fmt::format("{}:{}: entity {}, {}: attribute {}: {}{}\n  remedy: {}", file_, line, position_,
                               subject(), attribute, value, problem, remedy));
}

}  // namespace knetsim::skupper
