#pragma once

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace knetsim::kube {

// Reading objects without asking at each step whether it is there. What isn't there, or isn't what is asked for, reads
// as null, "", 0, false.

/// Shared and null.
const nlohmann::json& null_json();

inline const nlohmann::json& member(const nlohmann::json& value) { return value; }
/// member(pod, "spec", "nodeName")
template <std::convertible_to<std::string_view>... Rest>
const nlohmann::json& member(const nlohmann::json& value, std::string_view key, const Rest&... rest) {
  if (!value.is_object()) return null_json();
  const auto found = value.find(key);
  return found == value.end() ? null_json() : member(*found, rest...);
}

/// Shared and "".
const std::string& text_in(const nlohmann::json& value);
std::int64_t number_in(const nlohmann::json& value);
bool bool_in(const nlohmann::json& value);

template <std::convertible_to<std::string_view>... Keys>
const std::string& text_at(const nlohmann::json& value, const Keys&... keys) {
  return text_in(member(value, keys...));
}
template <std::convertible_to<std::string_view>... Keys>
std::int64_t number_at(const nlohmann::json& value, const Keys&... keys) {
  return number_in(member(value, keys...));
}
template <std::convertible_to<std::string_view>... Keys>
bool bool_at(const nlohmann::json& value, const Keys&... keys) {
  return bool_in(member(value, keys...));
}
/// The array, or an empty one.
const nlohmann::json& list_in(const nlohmann::json& value);
template <std::convertible_to<std::string_view>... Keys>
const nlohmann::json& list_at(const nlohmann::json& value, const Keys&... keys) {
  return list_in(member(value, keys...));
}

inline const std::string& name_of(const nlohmann::json& object) { return text_at(object, "metadata", "name"); }
inline const std::string& namespace_of(const nlohmann::json& object) {
  return text_at(object, "metadata", "namespace");
}

}  // namespace knetsim::kube
