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

/// max-frame-size, another spelling: maxFrameSize
std::string in_camel_case(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool joins = name[i] == '-' && i > 0 && i + 1 < name.size();
    if (joins) ++i;
    result.push_back(joins ? static_cast<char>(std::toupper(static_cast<unsigned char>(name[i]))) : name[i]);
  }
  return result;
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

Values::Values(const JsonPlace& entity) : entity_(entity) {
  if (!entity.value().is_array() || entity.value().size() != 2)
    entity.refuse("must be an entity, [name, {attributes}]");
  type_ = in_camel_case(entity[0].string());
  const auto& known = rule();
  static const AttributeRule kName{.name = "name"};
  for (const auto& [spelling, attribute] : entity[1].members()) {
    const auto name = in_camel_case(spelling);
    if (!written_.emplace(name, attribute).second) complain(name, "stands twice", "keep one of them");
    const auto found = std::find_if(known.attributes.begin(), known.attributes.end(),
                                    [&name](const AttributeRule& one) { return one.name == name; });
    const auto* one = known.named && name == kName.name ? &kName : found != known.attributes.end() ? &*found : nullptr;
    if (one == nullptr)
      complain(name, "there is no such attribute",
               fmt::format("known here are {}", fmt::join(names(known.attributes, known.named), ", ")));
    auto value = convert(*one, attribute.value());
    if (one->use == Use::unsupported) {
      const auto* flag = std::get_if<bool>(&value);
      const auto* word = std::get_if<std::string>(&value);
      if ((flag != nullptr && *flag) || (word != nullptr && *word != one->harmless))
        complain(name, "skrouterd can do that, the built-in router can't", "leave it away, or use a real skrouterd");
    }
    if (one->use == Use::no_effect)
      without_effect_.push_back(fmt::format("{}: attribute {} has no effect", subject(), name));
    values_.emplace(name, std::move(value));
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
    const auto found = written_.find(name);
    if (found == written_.end()) return {};
    const auto& value = found->second.value();
    return value.is_string() ? value.get<std::string>() : shown(value);
  };
  const auto base = fmt::format("{}/{}:{}", type(), written("host"), written("port"));
  auto name = base;
  for (int number = 2; !taken.insert(name).second; ++number) name = fmt::format("{}/{}", base, number);
  values_.emplace("name", name);
}

const EntityRule& Values::rule() const {
  std::vector<std::string_view> known;
  for (const auto& one : schema()) {
    if (one.type == type_) return one;
    known.push_back(one.type);
  }
  entity_[0].refuse("there is no such entity", fmt::format("known here are {}", fmt::join(known, ", ")));
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

Values::Value Values::convert(const AttributeRule& rule, const json& value) const {
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
  const auto name = written_.find("name");
  return name == written_.end() || !name->second.value().is_string()
             ? type_
             : fmt::format("{} {}", type_, shown(name->second.value()));
}

void Values::complain(std::string_view attribute, std::string_view problem, std::string_view remedy) const {
  const auto what = fmt::format("{}, in {}", problem, subject());
  const auto found = written_.find(attribute);
  if (found == written_.end()) entity_[1].refuse_member(attribute, what, std::string(remedy));
  found->second.refuse(what, std::string(remedy));
}

}  // namespace knetsim::skupper
