#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "knetsim/sys/json.h"
#include "knetsim/sys/json_source.h"

namespace knetsim {

/// A value, and all that its reader must know to complain.
struct JsonDocument {
  nlohmann::json value;
  JsonSource source = {};
  JsonRules rules = {};
};

/// Reads the text of `source`. Throws InputError as parse_json().
JsonDocument read_json(JsonSource source, const JsonRules& rules = {});

/// A value in a document, and the only way in which what others have written is taken apart: each reader refuses what
/// isn't of the kind or in the range that it is asked for, with a JsonError that names the place. Two pointers, so it
/// is passed by value; where in the document it stands is looked for only when it is refused.
class JsonPlace {
 public:
  /// The whole document, which must outlive it.
  explicit JsonPlace(const JsonDocument& document) noexcept : JsonPlace(document.value, document) {}
  explicit JsonPlace(JsonDocument&&) = delete;

  const nlohmann::json& value() const noexcept { return *value_; }

  // Members of an object.
  JsonPlace operator[](std::string_view key) const;
  /// Nullopt if it isn't there, as the document's rules have it.
  std::optional<JsonPlace> find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key).has_value(); }
  std::vector<std::pair<std::string_view, JsonPlace>> members() const;
  /// Refuses anything but an object, and the first member that is none of these.
  void expect_members(std::initializer_list<std::string_view> known) const;
  /// Those that are none of these, in the case that the document's rules have.
  std::vector<JsonPlace> members_other_than(std::initializer_list<std::string_view> known) const;
  /// What `read` makes of the member, if it is there.
  template <typename T, typename Read>
  void take(std::string_view key, T& into, Read&& read) const {
    if (const auto member = find(key)) into = std::invoke(read, *member);
  }

  // Elements of an array.
  JsonPlace operator[](std::size_t index) const;
  std::vector<JsonPlace> elements() const;
  /// Of the array of that name; none if it isn't there.
  std::vector<JsonPlace> elements(std::string_view key) const;
  /// The elements of an array, or the value itself as the only one.
  std::vector<JsonPlace> one_or_more() const;
  /// What `read` makes of each element; with a key, of the array of that name: none if it isn't there.
  template <typename Read>
  auto each(Read&& read) const {
    return each_of(elements(), read);
  }
  template <typename Read>
  auto each(std::string_view key, Read&& read) const {
    return each_of(elements(key), read);
  }

  bool boolean() const;
  /// Not longer than the document's rules allow.
  std::string string() const { return string_up_to(document_->rules.string); }
  std::string string_up_to(std::size_t longest) const;
  /// One of these strings.
  std::string choice(const std::vector<std::string>& choices) const;
  /// What `parse` makes of the string; an InputError of it becomes this place's.
  template <typename Parse>
  auto parsed(Parse&& parse) const {
    const auto text = string();
    try {
      return parse(text);
    } catch (const InputError& error) {
      refuse(error.what());
    }
  }
  template <std::integral Number>
  Number integer(Number min = std::numeric_limits<Number>::min(),
                 Number max = std::numeric_limits<Number>::max()) const {
    if (value_->is_number_unsigned()) {
      const auto number = value_->get<std::uint64_t>();
      if (std::cmp_greater_equal(number, min) && std::cmp_less_equal(number, max)) return static_cast<Number>(number);
    } else if (value_->is_number_integer()) {
      const auto number = value_->get<std::int64_t>();
      if (std::cmp_greater_equal(number, min) && std::cmp_less_equal(number, max)) return static_cast<Number>(number);
    }
    refuse_integer(std::to_string(min), std::to_string(max));
  }
  /// Finite.
  double real() const;

  [[noreturn]] void refuse(const std::string& problem, const std::string& remedy = {}) const;
  /// A member that isn't there, or doesn't go with the others.
  [[noreturn]] void refuse_member(std::string_view key, const std::string& problem,
                                  const std::string& remedy = {}) const;
  /// Refuses a value of another type than `wanted`, "an object".
  [[noreturn]] void refuse_type(std::string_view wanted, const std::string& remedy = {}) const;
  /// Where it stands: "mine.json:12: /clusters/0/name".
  std::string place() const;
  std::string pointer() const;

 private:
  JsonPlace(const nlohmann::json& value, const JsonDocument& document) noexcept
      : value_(&value), document_(&document) {}
  template <typename Read>
  static auto each_of(const std::vector<JsonPlace>& elements, Read& read) {
    std::vector<std::decay_t<std::invoke_result_t<Read&, const JsonPlace&>>> all;
    all.reserve(elements.size());
    for (const auto& element : elements) all.push_back(std::invoke(read, element));
    return all;
  }
  const nlohmann::json& object() const;
  [[noreturn]] void refuse_integer(const std::string& min, const std::string& max) const;

  const nlohmann::json* value_;
  const JsonDocument* document_;
};

}  // namespace knetsim
