#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "knetsim/kube/access.h"
#include "names.h"
#include "rules.h"

namespace knetsim::kube {
namespace {

using nlohmann::json;

/// As Go shows map[string]string.
std::string shown_map(const json& map) {
  std::string all;
  for (const auto& [key, value] : map.items()) {
    if (!all.empty()) all += ", ";
    all += json(key).dump() + ":" + value.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return all;
}

std::string shown_selector(const json& selector) {
  const auto& labels = member(selector, "matchLabels");
  const auto& expressions = list_at(selector, "matchExpressions");
  std::string requirements;
  for (const auto& each : expressions) {
    std::string values;
    for (const auto& value : list_at(each, "values")) values += (values.empty() ? "" : ", ") + value.dump();
    requirements += fmt::format("{}v1.LabelSelectorRequirement{{Key:\"{}\", Operator:\"{}\", Values:[]string{}}}",
                                requirements.empty() ? "" : ", ", text_at(each, "key"), text_at(each, "operator"),
                                values.empty() ? "(nil)" : "{" + values + "}");
  }
  return fmt::format(
      "v1.LabelSelector{{MatchLabels:map[string]string{}, MatchExpressions:[]v1.LabelSelectorRequirement{}}}",
      labels.is_object() ? "{" + shown_map(labels) + "}" : "(nil)",
      expressions.empty() ? "(nil)" : "{" + requirements + "}");
}

}  // namespace

void no_defaults(json&) {}
void no_rules(const json&, FieldErrors&) {}
void no_rules_of_change(const json&, const json&, FieldErrors&) {}

void put_default(json& object, std::string_view key, json value) {
  if (const auto found = object.find(key); found == object.end() || found->is_null() || *found == "") {
    object[key] = std::move(value);
  }
}

void validate_labels(const json& labels, const std::string& at, FieldErrors& errors) {
  if (!labels.is_object()) return;
  for (const auto& [key, value] : labels.items()) {
    if (const auto problem = qualified_name_problem(key); !problem.empty()) errors.invalid(at, key, problem);
    if (const auto problem = label_value_problem(text_in(value)); !problem.empty()) errors.invalid(at, value, problem);
  }
}

void validate_label_selector(const json& selector, const std::string& at, FieldErrors& errors) {
  validate_labels(member(selector, "matchLabels"), at + ".matchLabels", errors);
  std::size_t index = 0;
  for (const auto& each : list_at(selector, "matchExpressions")) {
    const auto place = fmt::format("{}.matchExpressions[{}]", at, index++);
    const auto& op = text_at(each, "operator");
    const auto& values = list_at(each, "values");
    if (op == "In" || op == "NotIn") {
      if (values.empty()) errors.required(place + ".values", "must be specified when `operator` is 'In' or 'NotIn'");
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!values.empty()) {
        errors.forbidden(place + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      }
    } else {
      errors.invalid(place + ".operator", op, "not a valid selector operator");
    }
    const auto& key = text_at(each, "key");
    if (const auto problem = qualified_name_problem(key); !problem.empty())
      errors.invalid(place + ".key", key, problem);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto problem = label_value_problem(text_in(values[i]));
      if (!problem.empty()) errors.invalid(fmt::format("{}.values[{}]", place, i), values[i], problem);
    }
  }
}

void validate_immutable(const json& value, const json& old, const std::string& at, FieldErrors& errors) {
  if (value == old) return;
  constexpr auto why = "field is immutable";
  if (value.is_object() && (value.contains("matchLabels") || value.contains("matchExpressions"))) {
    errors.invalid_shown(at, shown_selector(value), why);
  } else if (value.is_object()) {
    errors.invalid_shown(at, "map[string]string{" + shown_map(value) + "}", why);
  } else {
    errors.invalid(at, value, why);
  }
}

void validate_port_number(std::int64_t port, const std::string& at, FieldErrors& errors) {
  if (port < 1 || port > 65535) errors.invalid(at, port, "must be between 1 and 65535, inclusive");
}

void validate_choice(const json& value, const std::string& at, const std::vector<std::string_view>& choices,
                     FieldErrors& errors) {
  if (std::ranges::find(choices, text_in(value)) == choices.end()) errors.not_supported(at, value, choices);
}

void validate_address(const json& value, const std::string& at, FieldErrors& errors) {
  boost::system::error_code failed;
  boost::asio::ip::make_address(text_in(value), failed);
  if (failed) errors.invalid(at, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void validate_cidr(const json& value, const std::string& at, FieldErrors& errors) {
  boost::system::error_code not_v4;
  boost::system::error_code not_v6;
  boost::asio::ip::make_network_v4(text_in(value), not_v4);
  boost::asio::ip::make_network_v6(text_in(value), not_v6);
  if (not_v4 && not_v6) {
    errors.invalid(at, value, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
  }
}

}  // namespace knetsim::kube
