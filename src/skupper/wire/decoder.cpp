#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "wire/codec.h"

namespace knetsim::skupper::wire {

namespace {

constexpr int kMaxDepth = 32;

/// Big-endian reads off the front of a window. `base` is where the window begins in all the bytes; `inner` windows were
/// announced by a size field, so that running off their end can't be cured by more bytes.
class Reader {
 public:
  Reader(std::string_view bytes, std::size_t base, bool inner) : bytes_(bytes), base_(base), inner_(inner) {}

  std::size_t offset() const { return base_ + position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }

  std::string_view take(std::size_t count) {
    if (count > remaining()) {
      const auto text = fmt::format("{} bytes expected at offset {}, but {} are left", count, offset(), remaining());
      if (inner_) throw ProtocolError(text);
      throw TruncatedError(text);
    }
    const auto result = bytes_.substr(position_, count);
    position_ += count;
    return result;
  }

  template <typename T>
  T number() {
    std::uint64_t value = 0;
    for (const char c : take(sizeof(T))) value = value << 8U | static_cast<unsigned char>(c);
    return static_cast<T>(value);
  }

  Reader window(std::size_t size) {
    const auto begin = offset();
    return {take(size), begin, true};
  }

 private:
  std::string_view bytes_;
  std::size_t base_;
  bool inner_;
  std::size_t position_ = 0;
};

/// What stands before a value: its type, and for a described one the descriptor.
struct Constructor {
  std::shared_ptr<const Value> descriptor;
  std::uint8_t code = 0;
};

Value read_value(Reader& in, int depth);

Constructor read_constructor(Reader& in, int depth) {
  Constructor result;
  result.code = in.number<std::uint8_t>();
  if (result.code != 0) return result;
  result.descriptor = std::make_shared<const Value>(read_value(in, depth + 1));
  result.code = in.number<std::uint8_t>();
  if (result.code == 0) throw ProtocolError(fmt::format("a descriptor is described itself at offset {}", in.offset()));
  return result;
}

/// The width of the size and count fields of a variable-width type.
std::uint32_t read_size(Reader& in, bool wide) {
  return wide ? in.number<std::uint32_t>() : std::uint32_t{in.number<std::uint8_t>()};
}

Value read_data(Reader& in, std::uint8_t code, int depth);

struct Compound {
  Reader window;
  std::uint32_t count;
};

Compound read_compound(Reader& in, bool wide) {
  auto window = in.window(read_size(in, wide));
  const auto count = read_size(window, wide);
  return {window, count};
}

void expect_end(const Reader& window, std::string_view what) {
  if (window.remaining() != 0)
    throw ProtocolError(
        fmt::format("the {} has {} bytes too many at offset {}", what, window.remaining(), window.offset()));
}

List read_list(Reader& in, bool wide, int depth) {
  auto [window, count] = read_compound(in, wide);
  List list;
  for (std::uint32_t i = 0; i < count; ++i) list.push_back(read_value(window, depth + 1));
  expect_end(window, "list");
  return list;
}

Map read_map(Reader& in, bool wide, int depth) {
  auto [window, count] = read_compound(in, wide);
  if (count % 2 != 0) throw ProtocolError(fmt::format("a map has an odd number of elements at offset {}", in.offset()));
  Map map;
  for (std::uint32_t i = 0; i < count; i += 2) {
    auto key = read_value(window, depth + 1);
    auto value = read_value(window, depth + 1);
    map.emplace_back(std::move(key), std::move(value));
  }
  expect_end(window, "map");
  return map;
}

Array read_array(Reader& in, bool wide, int depth) {
  const auto size = read_size(in, wide);
  auto window = in.window(size);
  const auto count = read_size(window, wide);
  const auto constructor = read_constructor(window, depth);
  // Elements may be of no width at all: nothing but this bounds their number.
  if (count > size) throw ProtocolError(fmt::format("an array of {} bytes claims {} elements", size, count));
  Array array;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto element = read_data(window, constructor.code, depth + 1);
    if (constructor.descriptor)
      element = Described{constructor.descriptor, std::make_shared<const Value>(std::move(element))};
    array.elements.push_back(std::move(element));
  }
  expect_end(window, "array");
  return array;
}

bool read_boolean(Reader& in) {
  const auto byte = in.number<std::uint8_t>();
  if (byte > 1) throw ProtocolError(fmt::format("a boolean is {} before offset {}", byte, in.offset()));
  return byte == 1;
}

Uuid read_uuid(Reader& in) {
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), in.take(uuid.bytes.size()).data(), uuid.bytes.size());
  return uuid;
}

/// Part 1.6 of the specification: the codes of all primitive types.
Value read_data(Reader& in, std::uint8_t code, int depth) {
  if (depth > kMaxDepth) throw ProtocolError(fmt::format("values nest deeper than {}", kMaxDepth));
  switch (code) {
    case 0x40:
      return {};
    case 0x41:
      return true;
    case 0x42:
      return false;
    case 0x43:
      return std::uint32_t{0};
    case 0x44:
      return std::uint64_t{0};
    case 0x45:
      return List{};
    case 0x50:
      return in.number<std::uint8_t>();
    case 0x51:
      return static_cast<std::int8_t>(in.number<std::uint8_t>());
    case 0x52:
      return std::uint32_t{in.number<std::uint8_t>()};
    case 0x53:
      return std::uint64_t{in.number<std::uint8_t>()};
    case 0x54:
      return std::int32_t{static_cast<std::int8_t>(in.number<std::uint8_t>())};
    case 0x55:
      return std::int64_t{static_cast<std::int8_t>(in.number<std::uint8_t>())};
    case 0x56:
      return read_boolean(in);
    case 0x60:
      return in.number<std::uint16_t>();
    case 0x61:
      return static_cast<std::int16_t>(in.number<std::uint16_t>());
    case 0x70:
      return in.number<std::uint32_t>();
    case 0x71:
      return static_cast<std::int32_t>(in.number<std::uint32_t>());
    case 0x72:
      return std::bit_cast<float>(in.number<std::uint32_t>());
    case 0x73:
      return static_cast<char32_t>(in.number<std::uint32_t>());
    case 0x74:
      return Decimal{std::string(in.take(4))};
    case 0x80:
      return in.number<std::uint64_t>();
    case 0x81:
      return static_cast<std::int64_t>(in.number<std::uint64_t>());
    case 0x82:
      return std::bit_cast<double>(in.number<std::uint64_t>());
    case 0x83:
      return Timestamp{static_cast<std::int64_t>(in.number<std::uint64_t>())};
    case 0x84:
      return Decimal{std::string(in.take(8))};
    case 0x94:
      return Decimal{std::string(in.take(16))};
    case 0x98:
      return read_uuid(in);
    case 0xa0:
    case 0xb0:
      return Binary{std::string(in.take(read_size(in, code == 0xb0)))};
    case 0xa1:
    case 0xb1:
      return std::string(in.take(read_size(in, code == 0xb1)));
    case 0xa3:
    case 0xb3:
      return Symbol{std::string(in.take(read_size(in, code == 0xb3)))};
    case 0xc0:
    case 0xd0:
      return read_list(in, code == 0xd0, depth);
    case 0xc1:
    case 0xd1:
      return read_map(in, code == 0xd1, depth);
    case 0xe0:
    case 0xf0:
      return read_array(in, code == 0xf0, depth);
    default:
      throw ProtocolError(fmt::format("0x{:02x} before offset {} is no AMQP type", code, in.offset()));
  }
}

Value read_value(Reader& in, int depth) {
  if (depth > kMaxDepth) throw ProtocolError(fmt::format("values nest deeper than {}", kMaxDepth));
  auto constructor = read_constructor(in, depth);
  auto value = read_data(in, constructor.code, depth);
  if (!constructor.descriptor) return value;
  return Described{std::move(constructor.descriptor), std::make_shared<const Value>(std::move(value))};
}

}  // namespace

Value Decoder::value() {
  Reader in(rest_, offset(), false);
  auto result = read_value(in, 0);
  rest_ = rest_.substr(rest_.size() - in.remaining());
  return result;
}

Value decode(std::string_view bytes) {
  Decoder decoder(bytes);
  auto value = decoder.value();
  if (!decoder.at_end())
    throw ProtocolError(fmt::format("{} bytes follow the value at offset {}", decoder.rest().size(), decoder.offset()));
  return value;
}

}  // namespace knetsim::skupper::wire
