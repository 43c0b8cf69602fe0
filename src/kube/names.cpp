#include "names.h"

#include <fmt/format.h>

#include <algorithm>

namespace knetsim::kube {
namespace {

bool is_lower(char c) { return (c >= 'a' && c <= 'z'); }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }
bool is_lower_alnum(char c) { return is_lower(c) || is_decimal(c); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }

bool is_dns_label(std::string_view text) {
  return !text.empty() && is_lower_alnum(text.front()) && is_lower_alnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  while (true) {
    const auto dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_name_part(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string too_long(std::size_t longest) { return fmt::format("must be no more than {} bytes", longest); }

}  // namespace

std::string dns1123_label_problem(std::string_view name) {
  if (name.size() > 63) return too_long(63);
  if (is_dns_label(name)) return {};
  return "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
         "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
         "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

std::string dns1123_subdomain_problem(std::string_view name) {
  if (name.size() > 253) return too_long(253);
  if (is_subdomain(name)) return {};
  return "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
         "start "
         "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
         "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

std::string dns1035_label_problem(std::string_view name) {
  if (name.size() > 63) return too_long(63);
  if (is_dns_label(name) && is_lower(name.front())) return {};
  return "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
         "character, "
         "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
         "'[a-z]([-a-z0-9]*[a-z0-9])?')";
}

std::string qualified_name_problem(std::string_view name) {
  constexpr std::string_view shape =
      "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
      "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  auto part = name;
  if (const auto slash = name.find('/'); slash != std::string_view::npos) {
    const auto prefix = name.substr(0, slash);
    part = name.substr(slash + 1);
    if (part.find('/') != std::string_view::npos) {
      return fmt::format(
          "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')", shape);
    }
    if (prefix.empty()) return "prefix part must be non-empty";
    if (const auto problem = dns1123_subdomain_problem(prefix); !problem.empty()) return "prefix part " + problem;
  }
  if (part.empty()) return "name part must be non-empty";
  if (part.size() > 63) return "name part " + too_long(63);
  return is_name_part(part) ? std::string() : fmt::format("name part {}", shape);
}

std::string label_value_problem(std::string_view value) {
  if (value.size() > 63) return too_long(63);
  if (value.empty() || is_name_part(value)) return {};
  return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
         "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
         "validation "
         "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

std::string port_name_problem(std::string_view name) {
  if (name.size() > 15) return "must be no more than 15 bytes";
  if (!std::ranges::all_of(name, [](char c) { return is_lower_alnum(c) || c == '-'; }))
    return "must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)";
  if (std::ranges::none_of(name, is_lower)) return "must contain at least one letter (a-z)";
  if (name.find("--") != std::string_view::npos) return "must not contain consecutive hyphens";
  if (name.front() == '-' || name.back() == '-') return "must not begin or end with a hyphen";
  return {};
}

std::string config_key_problem(std::string_view key) {
  if (key.size() > 253) return too_long(253);
  if (key == ".") return "must not be '.'";
  if (key.starts_with("..")) return key == ".." ? "must not be '..'" : "must not start with '..'";
  if (!key.empty() && std::ranges::all_of(key, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }))
    return {};
  return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
         "'KEY_NAME',  "
         "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
}

}  // namespace knetsim::kube
