#include "wire/value.h"

#include <fmt/format.h>

#include <iterator>
#include <limits>

namespace knetsim::skupper::wire {

namespace {

using Out = std::back_insert_iterator<std::string>;

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      fmt::format_to(Out(result), "\\{}", c);
    else if (byte < 0x20 || byte == 0x7f)
      fmt::format_to(Out(result), "\\x{:02x}", byte);
    else
      result += c;
  }
  return result + '"';
}

std::string hex(std::string_view bytes) {
  std::string result;
  for (const char c : bytes) fmt::format_to(Out(result), "{:02x}", static_cast<unsigned char>(c));
  return result;
}

std::string join(const List& elements) {
  std::string result;
  for (const auto& element : elements) result += (result.empty() ? "" : ", ") + to_string(element);
  return result;
}

struct ValuePrinter {
  std::string operator()(Null) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::uint8_t value) const { return fmt::format("ubyte {}", value); }
  std::string operator()(std::uint16_t value) const { return fmt::format("ushort {}", value); }
  std::string operator()(std::uint32_t value) const { return fmt::format("uint {}", value); }
  std::string operator()(std::uint64_t value) const { return fmt::format("ulong {}", value); }
  std::string operator()(std::int8_t value) const { return fmt::format("byte {}", value); }
  std::string operator()(std::int16_t value) const { return fmt::format("short {}", value); }
  std::string operator()(std::int32_t value) const { return fmt::format("int {}", value); }
  std::string operator()(std::int64_t value) const { return fmt::format("long {}", value); }
  std::string operator()(float value) const { return fmt::format("float {}", value); }
  std::string operator()(double value) const { return fmt::format("double {}", value); }
  std::string operator()(char32_t value) const { return fmt::format("char {}", static_cast<std::uint32_t>(value)); }
  std::string operator()(const Decimal& value) const { return "decimal " + hex(value.bytes); }
  std::string operator()(const Timestamp& value) const { return fmt::format("timestamp {}", value.milliseconds); }
  std::string operator()(const Uuid& value) const {
    return "uuid " + hex({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
  }
  std::string operator()(const Binary& value) const { return "binary " + hex(value.bytes); }
  std::string operator()(const std::string& value) const { return in_quotes(value); }
  std::string operator()(const Symbol& value) const { return "symbol " + in_quotes(value.text); }
  std::string operator()(const List& value) const { return "[" + join(value) + "]"; }
  std::string operator()(const Array& value) const { return "array [" + join(value.elements) + "]"; }
  std::string operator()(const Map& value) const {
    std::string result;
    for (const auto& [key, entry] : value)
      result += (result.empty() ? "" : ", ") + to_string(key) + ": " + to_string(entry);
    return "{" + result + "}";
  }
  std::string operator()(const Described& value) const {
    return "@" + to_string(*value.descriptor) + " " + to_string(*value.value);
  }
};

}  // namespace

bool Array::operator==(const Array& other) const { return elements == other.elements; }

bool Described::operator==(const Described& other) const {
  return *descriptor == *other.descriptor && *value == *other.value;
}

Value described(std::uint64_t descriptor, Value value) {
  return Described{std::make_shared<const Value>(descriptor), std::make_shared<const Value>(std::move(value))};
}

std::optional<std::int64_t> as_integer(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::optional<std::int64_t> {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::uint64_t>) {
          if (held > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
          return static_cast<std::int64_t>(held);
        } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char32_t>) {
          return static_cast<std::int64_t>(held);
        } else {
          return std::nullopt;
        }
      },
      value.variant());
}

std::optional<std::string_view> as_text(const Value& value) {
  if (const auto* text = value.get_if<std::string>()) return *text;
  if (const auto* symbol = value.get_if<Symbol>()) return symbol->text;
  return std::nullopt;
}

const Value* find(const Map& map, std::string_view key) {
  for (const auto& [name, value] : map)
    if (as_text(name) == key) return &value;
  return nullptr;
}

std::string to_string(const Value& value) { return std::visit(ValuePrinter{}, value.variant()); }

}  // namespace knetsim::skupper::wire
