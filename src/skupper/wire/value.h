#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace knetsim::skupper::wire {

class Value;

using Null = std::monostate;
struct Symbol {
  std::string text;
  auto operator<=>(const Symbol&) const = default;
};
struct Binary {
  std::string bytes;
  auto operator<=>(const Binary&) const = default;
};
/// Milliseconds since the Unix epoch.
struct Timestamp {
  std::int64_t milliseconds = 0;
  auto operator<=>(const Timestamp&) const = default;
};
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
};
/// decimal32, decimal64 or decimal128 as it is on the wire: 4, 8 or 16 bytes.
struct Decimal {
  std::string bytes;
  auto operator<=>(const Decimal&) const = default;
};
using List = std::vector<Value>;
/// In the order of the wire.
using Map = std::vector<std::pair<Value, Value>>;
/// Elements of one type.
struct Array {
  List elements;
  bool operator==(const Array& other) const;
};
/// A value with a descriptor: a section, a performative, a terminus, an outcome.
struct Described {
  std::shared_ptr<const Value> descriptor;
  std::shared_ptr<const Value> value;
  bool operator==(const Described& other) const;
};

template <typename T, typename Variant>
inline constexpr bool kIsOneOf = false;
template <typename T, typename... Types>
inline constexpr bool kIsOneOf<T, std::variant<Types...>> = (std::is_same_v<T, Types> || ...);

/// A value of AMQP 1.0's type system (OASIS amqp-core-types-v1.0, part 1). Equality takes the type into account, but
/// not the encoding: smallint 1 and int 1 are equal, int 1 and long 1 aren't.
class Value {
 public:
  using Variant = std::variant<Null, bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int8_t,
                               std::int16_t, std::int32_t, std::int64_t, float, double, char32_t, Decimal, Timestamp,
                               Uuid, Binary, std::string, Symbol, List, Map, Array, Described>;

  Value() = default;
  template <typename T>
  requires(kIsOneOf<T, Variant>) Value(T value) : variant_(std::in_place_type<T>, std::move(value)) {}
  Value(const char* text) : variant_(std::in_place_type<std::string>, text) {}
  Value(std::string_view text) : variant_(std::in_place_type<std::string>, text) {}

  /// Null if it is of another type.
  template <typename T>
  const T* get_if() const noexcept {
    return std::get_if<T>(&variant_);
  }
  bool is_null() const noexcept { return std::holds_alternative<Null>(variant_); }
  const Variant& variant() const noexcept { return variant_; }
  bool operator==(const Value& other) const = default;

 private:
  Variant variant_;
};

/// A list of these. Not List{value}: with one element, clang 14 takes that for a copy of it where it can (CWG 2137).
template <typename... Values>
List list_of(Values&&... values) {
  List list;
  list.reserve(sizeof...(values));
  (list.emplace_back(std::forward<Values>(values)), ...);
  return list;
}

Value described(std::uint64_t descriptor, Value value);

/// The number in an integer of any width and sign; nullopt for other types, and for what doesn't fit.
std::optional<std::int64_t> as_integer(const Value& value);
/// The text of a string or of a symbol.
std::optional<std::string_view> as_text(const Value& value);
/// The value of the first entry whose key is the string or symbol `key`; null if there is none.
const Value* find(const Map& map, std::string_view key);

/// For messages and for failing tests: {"id": "c0", "pv": int 1, "seen": []}.
std::string to_string(const Value& value);

}  // namespace knetsim::skupper::wire
