#include <fmt/format.h>

#include <limits>

#include "knetsim/kube/kinds.h"
#include "knetsim/kube/reader.h"
#include "knetsim/kube/schema.h"
#include "knetsim/kube/status.h"
#include "knetsim/kube/time.h"
#include "knetsim/sys/base64.h"
#include "knetsim/sys/text.h"
#include "protobuf_numbers.h"

namespace knetsim::kube {

namespace {

using nlohmann::json;

constexpr std::string_view kMark{"k8s\0", 4};
constexpr std::size_t kDeepestMessage = 30;

[[noreturn]] void refuse_protobuf(const std::string& why) { throw bad_request("error decoding protobuf: " + why); }

/// https://protobuf.dev/programming-guides/encoding: the fields of a message, one by one.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : bytes_(bytes) {}

  /// False at the end.
  bool next() {
    if (bytes_.empty()) return false;
    const auto tag = varint();
    number_ = static_cast<std::uint32_t>(tag >> 3U);
    if (tag >> 3U == 0 || tag >> 3U > kHighestNumber) refuse_protobuf("a field has no number");
    switch (tag & 7U) {
      case kVarint:
        value_ = varint();
        is_text_ = false;
        return true;
      case kText: {
        const auto size = varint();
        if (size > bytes_.size()) refuse_protobuf("unexpected end");
        text_ = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        is_text_ = true;
        return true;
      }
      default:
        refuse_protobuf(fmt::format("field {} is of a form that isn't used here", number_));
    }
  }
  std::uint32_t number() const noexcept { return number_; }
  std::uint64_t value() const {
    if (is_text_) refuse_protobuf(fmt::format("field {} holds no number", number_));
    return value_;
  }
  std::string_view text() const {
    if (!is_text_) refuse_protobuf(fmt::format("field {} holds a number", number_));
    return text_;
  }

 private:
  static constexpr std::uint64_t kHighestNumber = (1U << 29U) - 1;
  static constexpr unsigned kVarint = 0;
  static constexpr unsigned kText = 2;

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) refuse_protobuf("unexpected end");
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80U) return value;
    }
    refuse_protobuf("a number is too long");
  }

  std::string_view bytes_;
  std::uint32_t number_ = 0;
  std::uint64_t value_ = 0;
  std::string_view text_;
  bool is_text_ = false;
};

json whole_number(std::uint64_t value, bool small) {
  const auto number = static_cast<std::int64_t>(value);
  if (small && (number < std::numeric_limits<std::int32_t>::min() || number > std::numeric_limits<std::int32_t>::max()))
    refuse_protobuf(fmt::format("{} is no number of 32 bits", number));
  return number;
}

std::string quantity_in(std::string_view message) {
  std::string text;
  for (Wire wire(message); wire.next();)
    if (wire.number() == 1) text = wire.text();
  return text;
}

/// k8s.io/apimachinery/pkg/util/intstr: 0 says that it is the number, 1 the string.
json int_or_string_in(std::string_view message) {
  std::uint64_t type = 0;
  json number = 0;
  json text = "";
  for (Wire wire(message); wire.next();) {
    if (wire.number() == 1) type = wire.value();
    if (wire.number() == 2) number = whole_number(wire.value(), true);
    if (wire.number() == 3) text = std::string(wire.text());
  }
  if (type > 1) refuse_protobuf("a number or text is neither");
  return type == 0 ? number : text;
}

/// Null for the zero time, which is an empty message.
json time_in(std::string_view message) {
  if (message.empty()) return nullptr;
  constexpr std::int64_t kLast = 253'402'300'799;  // the end of 9999
  std::int64_t seconds = 0;
  for (Wire wire(message); wire.next();)
    if (wire.number() == 1) seconds = static_cast<std::int64_t>(wire.value());
  if (seconds < 0 || seconds > kLast) refuse_protobuf("a time is before 1970 or after 9999");
  return timestamp(Time(std::chrono::seconds(seconds)));
}

json message_of(const Schema& schema, std::string_view bytes, std::size_t depth);

json value_of(const Field& field, const Wire& wire, std::size_t depth) {
  switch (field.type) {
    case Type::string:
      return std::string(wire.text());
    case Type::boolean:
      return wire.value() != 0;
    case Type::int32:
    case Type::int64:
      return whole_number(wire.value(), field.type == Type::int32);
    case Type::quantity:
      return quantity_in(wire.text());
    case Type::int_or_string:
      return int_or_string_in(wire.text());
    case Type::time:
      return time_in(wire.text());
    case Type::bytes:
      return base64_encode(wire.text());
    case Type::object:
      return message_of(*field.schema, wire.text(), depth + 1);
    case Type::number:
    case Type::micro_time:
    case Type::any:
      break;
  }
  refuse_protobuf(fmt::format("{} can't be read here; send JSON", field.name));
}

void put(json& object, const Field& field, const Wire& wire, std::size_t depth) {
  auto& place = object[std::string(field.name)];
  if (field.shape == Shape::list) {
    place.push_back(value_of(field, wire, depth));
  } else if (field.shape == Shape::one) {
    if (!place.is_null()) refuse_protobuf(fmt::format("{} stands twice", field.name));
    place = value_of(field, wire, depth);
  } else {
    std::string key;
    auto value = field.type == Type::bytes || field.type == Type::string ? json("") : json();
    for (Wire entry(wire.text()); entry.next();) {
      if (entry.number() == 1) key = entry.text();
      if (entry.number() == 2) value = value_of(field, entry, depth);
    }
    place[key] = std::move(value);
  }
}

json message_of(const Schema& schema, std::string_view bytes, std::size_t depth) {
  if (depth > kDeepestMessage) refuse_protobuf("it is nested too deeply");
  if (!has_wire_fields(schema)) refuse_protobuf(fmt::format("{} can't be read here; send JSON", schema.name));
  auto object = json::object();
  for (Wire wire(bytes); wire.next();) {
    const auto known = wire_field(schema, wire.number());
    // Not passed over: what is lost silently is found late.
    if (!known)
      refuse_protobuf(fmt::format("field {} of {} can't be read here; send JSON", wire.number(), schema.name));
    if (known->below == 0) {
      put(object, *known->field, wire, depth);
      continue;
    }
    for (Wire embedded(wire.text()); embedded.next();) {
      if (embedded.number() != known->below)
        refuse_protobuf(fmt::format("field {}.{} of {} can't be read here; send JSON", wire.number(), embedded.number(),
                                    schema.name));
      put(object, *known->field, embedded, depth);
    }
  }
  return object;
}

}  // namespace

json read_protobuf_body(std::string_view body, const ReadLimits& limits) {
  if (body.size() > limits.size) throw too_large(fmt::format("Request entity too large: limit is {}", limits.size));
  if (!body.starts_with(kMark)) refuse_protobuf("it doesn't begin with k8s\\0");
  std::string_view type;
  std::string_view raw;
  for (Wire wire(body.substr(kMark.size())); wire.next();) {
    if (wire.number() == 1) type = wire.text();
    if (wire.number() == 2) raw = wire.text();
    if (wire.number() == 3 && !wire.text().empty()) refuse_protobuf("its content is encoded");
  }
  std::string api_version;
  std::string name;
  for (Wire wire(type); wire.next();) {
    if (wire.number() == 1) api_version = wire.text();
    if (wire.number() == 2) name = wire.text();
  }
  const auto* const kind = kind_of(api_version, name);
  // The one that is asked for and not kept.
  const bool token = api_version == "authentication.k8s.io/v1" && name == "TokenRequest";
  if (kind == nullptr && !token)
    throw bad_request(
        fmt::format("no kind {} is registered for version {} in scheme", excerpt(name), excerpt(api_version)));
  auto object = message_of(kind != nullptr ? kind->schema() : *find_schema(name), raw, 0);
  object["apiVersion"] = api_version;
  object["kind"] = name;
  try {
    (void)object.dump();
  } catch (const json::exception&) {
    refuse_protobuf("a text isn't UTF-8");
  }
  return object;
}

}  // namespace knetsim::kube
