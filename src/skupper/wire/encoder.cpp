#include <bit>
#include <stdexcept>
#include <type_traits>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

constexpr std::size_t kNarrow = 0xff;  // what a one-byte size or number can say

/// Writes one value: its constructor (type code, before it the descriptor) and its data. Both go to the same string,
/// except for an array's elements, which share one constructor and so have the widest one of their type.
class Writer {
 public:
  Writer(std::string& out, Encoder::EmptyList empty_list) : Writer(out, out, false, empty_list) {}

  void write(const Value& value) { std::visit(*this, value.variant()); }

  void operator()(Null) { code(0x40); }
  void operator()(bool value) {
    if (wide_)
      fixed(0x56, static_cast<std::uint8_t>(value));
    else
      code(value ? 0x41 : 0x42);
  }
  void operator()(std::uint8_t value) { fixed(0x50, value); }
  void operator()(std::int8_t value) { fixed(0x51, static_cast<std::uint8_t>(value)); }
  void operator()(std::uint16_t value) { fixed(0x60, value); }
  void operator()(std::int16_t value) { fixed(0x61, static_cast<std::uint16_t>(value)); }
  void operator()(std::uint32_t value) { unsigned_number(0x43, 0x52, 0x70, value); }
  void operator()(std::uint64_t value) { unsigned_number(0x44, 0x53, 0x80, value); }
  void operator()(std::int32_t value) { signed_number(0x54, 0x71, value); }
  void operator()(std::int64_t value) { signed_number(0x55, 0x81, value); }
  void operator()(float value) { fixed(0x72, std::bit_cast<std::uint32_t>(value)); }
  void operator()(double value) { fixed(0x82, std::bit_cast<std::uint64_t>(value)); }
  void operator()(char32_t value) { fixed(0x73, static_cast<std::uint32_t>(value)); }
  void operator()(const Timestamp& value) { fixed(0x83, static_cast<std::uint64_t>(value.milliseconds)); }
  void operator()(const Decimal& value) {
    code(value.bytes.size() == 4 ? 0x74 : value.bytes.size() == 8 ? 0x84 : 0x94);
    data_ += value.bytes;
  }
  void operator()(const Uuid& value) {
    code(0x98);
    data_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  }
  void operator()(const Binary& value) { variable(0xa0, value.bytes); }
  void operator()(const std::string& value) { variable(0xa1, value); }
  void operator()(const Symbol& value) { variable(0xa3, value.text); }
  void operator()(const List& value) {
    if (value.empty() && !wide_ && empty_list_ == Encoder::EmptyList::list0) return code(0x45);
    std::string elements;
    Writer writer(elements, empty_list_);
    for (const auto& element : value) writer.write(element);
    compound(0xd0, value.size(), elements);
  }
  void operator()(const Map& value) {
    std::string elements;
    Writer writer(elements, empty_list_);
    for (const auto& [key, entry] : value) {
      writer.write(key);
      writer.write(entry);
    }
    compound(0xd1, 2 * value.size(), elements);
  }
  void operator()(const Array& value);
  void operator()(const Described& value) {
    code(0x00);
    Writer(constructor_, empty_list_).write(*value.descriptor);
    write(*value.value);
  }

 private:
  Writer(std::string& constructor, std::string& data, bool wide, Encoder::EmptyList empty_list)
      : constructor_(constructor), data_(data), wide_(wide), empty_list_(empty_list) {}

  void code(std::uint8_t byte) { constructor_.push_back(static_cast<char>(byte)); }
  template <typename T>
  void number(T value) {
    for (int shift = (static_cast<int>(sizeof(T)) - 1) * 8; shift >= 0; shift -= 8)
      data_.push_back(static_cast<char>(static_cast<std::uint8_t>(value >> shift)));
  }
  template <typename T>
  void fixed(std::uint8_t type, T value) {
    code(type);
    number(value);
  }
  template <typename T>
  void unsigned_number(std::uint8_t zero, std::uint8_t narrow, std::uint8_t full, T value) {
    if (wide_ || value > kNarrow)
      fixed(full, value);
    else if (value == 0)
      code(zero);
    else
      fixed(narrow, static_cast<std::uint8_t>(value));
  }
  template <typename T>
  void signed_number(std::uint8_t narrow, std::uint8_t full, T value) {
    if (wide_ || value < -128 || value > 127)
      fixed(full, static_cast<std::make_unsigned_t<T>>(value));
    else
      fixed(narrow, static_cast<std::uint8_t>(value));
  }
  /// The codes of one-byte and four-byte sizes differ by 0x10.
  void variable(std::uint8_t narrow, std::string_view bytes) {
    if (wide_ || bytes.size() > kNarrow)
      fixed(narrow + 0x10, static_cast<std::uint32_t>(bytes.size()));
    else
      fixed(narrow, static_cast<std::uint8_t>(bytes.size()));
    data_ += bytes;
  }
  void compound(std::uint8_t type, std::size_t count, std::string_view elements) {
    fixed(type, static_cast<std::uint32_t>(elements.size() + sizeof(std::uint32_t)));
    number(static_cast<std::uint32_t>(count));
    data_ += elements;
  }

  std::string& constructor_;
  std::string& data_;
  bool wide_;
  Encoder::EmptyList empty_list_;
};

void Writer::operator()(const Array& value) {
  std::string constructor;
  std::string data;
  for (const auto& element : value.elements) {
    std::string own;
    Writer(own, data, true, empty_list_).write(element);
    if (!constructor.empty() && own != constructor)
      throw std::invalid_argument("the elements of an AMQP array aren't of one type: " + to_string(Value(value)));
    constructor = std::move(own);
  }
  if (constructor.empty()) constructor = "\x40";
  compound(0xf0, value.elements.size(), constructor + data);
}

}  // namespace

void Encoder::value(const Value& value) { Writer(bytes_, empty_list_).write(value); }

void Encoder::section(std::uint64_t descriptor, const Value& value) {
  bytes_.push_back('\0');
  Writer writer(bytes_, empty_list_);
  writer.write(descriptor);
  writer.write(value);
}

std::string encode(const Value& value, Encoder::EmptyList empty_list) {
  Encoder encoder(empty_list);
  encoder.value(value);
  return encoder.take();
}

}  // namespace knetsim::skupper::wire
