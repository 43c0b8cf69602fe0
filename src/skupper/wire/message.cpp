#include "wire/message.h"

#include <fmt/format.h>

#include "wire/sections.h"

namespace knetsim::skupper::wire {

namespace {

template <typename T>
const T& expect(const Value& value, std::string_view section, std::string_view type) {
  const auto* held = value.get_if<T>();
  if (!held) throw ProtocolError(fmt::format("the message's {} is {}, not a {}", section, to_string(value), type));
  return *held;
}

/// The field of a section that is a list; trailing ones may be missing.
Value field(const List& fields, std::size_t index) { return index < fields.size() ? fields[index] : Value(); }

std::string text_field(const List& fields, std::size_t index, std::string_view name) {
  const auto value = field(fields, index);
  if (value.is_null()) return {};
  const auto text = as_text(value);
  if (!text) throw ProtocolError(fmt::format("the message's {} is {}, not a string", name, to_string(value)));
  return std::string(*text);
}

Properties read_properties(const List& fields) {
  Properties properties;
  properties.message_id = field(fields, 0);
  properties.to = text_field(fields, 2, "to");
  properties.subject = text_field(fields, 3, "subject");
  properties.reply_to = text_field(fields, 4, "reply-to");
  properties.correlation_id = field(fields, 5);
  properties.content_type = text_field(fields, 6, "content-type");
  return properties;
}

}  // namespace

ParsedMessage parse_message(std::string_view bytes) {
  ParsedMessage parsed;
  auto& message = parsed.message;
  auto [annotations, rest] = split_annotations(bytes);
  message.annotations = std::move(annotations);
  Decoder decoder(rest);
  std::int64_t last = 0;
  while (true) {
    const auto value = decoder.value();
    const auto* section = value.get_if<Described>();
    const auto code = section ? as_integer(*section->descriptor) : std::nullopt;
    if (!code) throw ProtocolError(fmt::format("the message has {} where a section should be", to_string(value)));
    if (*code <= last) throw ProtocolError(fmt::format("the message's section 0x{:02x} is out of order", *code));
    last = *code;
    switch (static_cast<Section>(*code)) {
      case Section::header:
        message.header = expect<List>(*section->value, "header", "list");
        break;
      case Section::delivery_annotations:
      case Section::message_annotations:
        break;
      case Section::properties:
        message.properties = read_properties(expect<List>(*section->value, "properties", "list"));
        break;
      case Section::application_properties:
        message.application_properties = expect<Map>(*section->value, "application properties", "map");
        break;
      case Section::amqp_value:
        message.body = *section->value;
        parsed.length = bytes.size() - decoder.rest().size();
        return parsed;
      default:
        throw ProtocolError(fmt::format("the message's section 0x{:02x} isn't one that routers use", *code));
    }
  }
}

}  // namespace knetsim::skupper::wire
