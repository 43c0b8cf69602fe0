#pragma once

#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace knetsim {

/// Parses JSON and refuses what the standard leaves open: a key that stands twice in an object. Throws InputError
/// naming file and place.
nlohmann::json parse_strict_json(std::string_view text, const std::string& file);

/// A value in a JSON document that knows where it stands, so that every complaint names file, JSON pointer (RFC 6901),
/// value and remedy. Complaints are InputErrors.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& value, std::string file, std::string pointer = {})
      : value_(value), file_(std::move(file)), pointer_(std::move(pointer)) {}

  /// Complains unless this is an object with no keys but these.
  void expect_keys(std::initializer_list<std::string_view> known) const;
  bool is_object() const { return value_.is_object(); }
  bool has(const std::string& key) const { return value_.contains(key); }
  /// Complains if it isn't there.
  JsonReader at(const std::string& key) const;

  /// Complains if it is longer than `longest` bytes: names and addresses come back in messages.
  std::string string(std::size_t longest = kLongestString) const;
  /// One of `choices`.
  std::string choice(std::initializer_list<std::string_view> choices) const;
  bool boolean() const;
  unsigned number(unsigned min, unsigned max) const;
  std::vector<JsonReader> array() const;
  /// The elements of an array, or the value itself as the only one.
  std::vector<JsonReader> one_or_more() const;
  /// What `parse` makes of the string; an InputError of it is given file, pointer and value.
  template <typename T>
  T parsed(const std::function<T(std::string_view)>& parse) const {
    const auto text = string();
    try {
      return parse(text);
    } catch (const std::exception& error) {
      complain(error.what(), {});
    }
  }
  std::string dump() const { return value_.dump(); }

  [[noreturn]] void complain(const std::string& problem, const std::string& remedy) const;

 private:
  static constexpr std::size_t kLongestString = 1'000;

  const nlohmann::json& value_;
  std::string file_;
  std::string pointer_;
};

}  // namespace knetsim
