#pragma once

#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"
#include "knetsim/sys/json_source.h"

namespace knetsim {

/// Parses JSON and refuses what the standard leaves open: a key that stands twice in an object. Throws InputError
/// naming file and place.
nlohmann::json parse_strict_json(const JsonSource& source);

/// A value in a JSON document that knows where it stands, so that every complaint names file and line, JSON pointer
/// (RFC 6901), value and remedy. Complaints are InputErrors.
class JsonReader {
 public:
  /// `source` must outlive it.
  JsonReader(const nlohmann::json& value, const JsonSource& source, std::string pointer = {})
      : value_(value), source_(source), pointer_(std::move(pointer)) {}

  /// Complains unless this is an object with no keys but these.
  void expect_keys(std::initializer_list<std::string_view> known) const;
  bool is_object() const { return value_.is_object(); }
  bool has(const std::string& key) const { return value_.contains(key); }
  /// Complains if it isn't there.
  JsonReader at(const std::string& key) const;

  /// Complains if it is longer than `longest` bytes: names and addresses come back in messages.
  std::string string(std::size_t longest = kLongestString) const;
  /// Complains if it is empty as well.
  std::string name() const;
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
    } catch (const InputError& error) {
      complain_of(error);
    }
  }
  std::string dump() const { return value_.dump(); }
  const std::string& pointer() const noexcept { return pointer_; }

  /// Adds a remark, "<file>:<line>: <pointer>: <what>; it knows ...", for each key of this object that isn't one of
  /// these in whatever case. Nothing if it is no object.
  void remark_others(std::span<const std::string_view> known, const std::string& what,
                     std::vector<std::string>& remarks) const;
  /// Of an object: its keys and values. None if it is no object.
  std::vector<std::pair<std::string, JsonReader>> members() const;

  [[noreturn]] void complain(const std::string& problem, const std::string& remedy) const;
  /// Its text may end with a remedy of its own.
  [[noreturn]] void complain_of(const InputError& error) const;

 private:
  static constexpr std::size_t kLongestString = 1'000;

  const nlohmann::json& value_;
  const JsonSource& source_;
  std::string pointer_;
};

}  // namespace knetsim
