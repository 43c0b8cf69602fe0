#include "wire/message.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace knetsim::skupper::wire {

namespace {

constexpr std::uint64_t kDescriptor = 0x534B50522D2D5241;  // "SKPR--RA"
constexpr std::size_t kFields = 4;

/// Routers name each other with their area: there is but one.
std::string node(std::string_view router) { return fmt::format("0/{}", router); }

std::string text_field(const Value& value, std::string_view name) {
  const auto text = as_text(value);
  if (!text) throw ProtocolError(fmt::format("the router annotations' {} is {}", name, to_string(value)));
  return std::string(*text);
}

std::vector<std::string> read_trace(const Value& value) {
  const auto* list = value.get_if<List>();
  if (!list) throw ProtocolError(fmt::format("the router annotations' trace is {}", to_string(value)));
  std::vector<std::string> trace;
  for (const auto& element : *list) trace.push_back(text_field(element, "trace"));
  return trace;
}

RouterAnnotations read(const List& fields) {
  if (fields.size() < kFields)
    throw ProtocolError(fmt::format("the router annotations have {} fields, not {}", fields.size(), kFields));
  RouterAnnotations annotations;
  const auto flags = as_integer(fields[0]);
  if (!flags || *flags < 0 || *flags > std::numeric_limits<std::uint32_t>::max())
    throw ProtocolError(fmt::format("the router annotations' flags are {}", to_string(fields[0])));
  annotations.flags = static_cast<std::uint32_t>(*flags);
  if (!fields[1].is_null()) annotations.to_override = text_field(fields[1], "to-override");
  if (!fields[2].is_null()) annotations.ingress = text_field(fields[2], "ingress router");
  annotations.trace = read_trace(fields[3]);
  return annotations;
}

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

constexpr std::string_view kContentType = "application/octet-stream";
constexpr const char* kVersionKey = "V";
constexpr std::uint32_t kFlowVersion = 1;
constexpr std::uint32_t kFlags = RouterAnnotations::kStreaming | RouterAnnotations::kResendReleased;
// Far above what a router writes; a peer can't make us hold more than this for a flow that hasn't begun.
constexpr std::size_t kMaxHead = 16 * 1024;

Value text_or_null(const std::optional<std::string>& text) { return text ? Value(*text) : Value(); }

/// What `parse` says, or nullopt if more bytes may help.
template <typename Parse>
auto unless_truncated(std::string_view bytes, Parse parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const TruncatedError&) {
    if (bytes.size() >= kMaxHead)
      throw ProtocolError(fmt::format("the flow's head hasn't ended after {} bytes", bytes.size()));
    return std::nullopt;
  }
}

ParsedFlow to_flow(ParsedMessage parsed) {
  auto& message = parsed.message;
  if (message.properties.to.empty()) throw ProtocolError("the flow's head has no address (to)");
  const auto* version = find(message.application_properties, kVersionKey);
  if (!version || as_integer(*version) != kFlowVersion)
    throw ProtocolError(fmt::format("the flow's encapsulation version (V) is {}, not {}",
                                    version ? to_string(*version) : "missing", kFlowVersion));
  ParsedFlow flow;
  flow.head.annotations = std::move(message.annotations);
  flow.head.to = std::move(message.properties.to);
  if (!message.properties.reply_to.empty()) flow.head.reply_to = std::move(message.properties.reply_to);
  if (const auto id = as_text(message.properties.correlation_id)) flow.head.correlation_id = std::string(*id);
  flow.length = parsed.length;
  return flow;
}

}  // namespace

RouterAnnotations originate(std::string_view router, std::uint32_t flags) {
  return {flags, std::nullopt, node(router), {node(router)}};
}

RouterAnnotations forwarded(RouterAnnotations annotations, std::string_view router) {
  annotations.trace.push_back(node(router));
  return annotations;
}

bool has_passed(const RouterAnnotations& annotations, std::string_view router) {
  return std::find(annotations.trace.begin(), annotations.trace.end(), node(router)) != annotations.trace.end();
}

std::string encode(const RouterAnnotations& annotations) {
  Encoder encoder;
  encoder.section(kDescriptor,
                  List{annotations.flags, annotations.to_override ? Value(*annotations.to_override) : Value(),
                       annotations.ingress, List(annotations.trace.begin(), annotations.trace.end())});
  return encoder.take();
}

AnnotatedMessage split_annotations(std::string_view message) {
  // A message that begins otherwise is refused by its first bytes, and not read until its first section has come.
  const auto begin = std::string_view("\0\x80SKPR--RA", 10);
  if (message.substr(0, begin.size()) != begin.substr(0, message.size()))
    throw ProtocolError("the message doesn't begin with router annotations of version 2");
  Decoder decoder(message);
  const auto section = decoder.value();
  const auto* list = section.get_if<Described>()->value->get_if<List>();
  if (!list) throw ProtocolError(fmt::format("the router annotations are {}, not a list", to_string(section)));
  return {read(*list), decoder.rest()};
}

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

FlowHead flow_request(std::string_view router, std::string to, std::string reply_to, std::string correlation_id) {
  return {originate(router, kFlags), std::move(to), std::move(reply_to), std::move(correlation_id)};
}

FlowHead flow_reply(std::string_view router, std::string to) {
  return {originate(router, kFlags), std::move(to), std::nullopt, std::nullopt};
}

std::string encode(const FlowHead& head) {
  Encoder encoder;
  encoder.section(code(Section::properties), List{Value(), Value(), head.to, Value(), text_or_null(head.reply_to),
                                                  text_or_null(head.correlation_id), kContentType});
  encoder.section(code(Section::application_properties), Map{{kVersionKey, kFlowVersion}});
  encoder.section(code(Section::amqp_value), Value());
  return encode(head.annotations) + encoder.take();
}

std::optional<ParsedFlow> parse_flow(std::string_view bytes) {
  return unless_truncated(bytes, [&] { return to_flow(parse_message(bytes)); });
}

std::optional<ForwardedHead> forward_annotations(std::string_view bytes, std::string_view router) {
  return unless_truncated(bytes, [&] {
    auto [annotations, rest] = split_annotations(bytes);
    auto encoded = encode(forwarded(annotations, router));
    return ForwardedHead{std::move(annotations), std::move(encoded), bytes.size() - rest.size()};
  });
}

}  // namespace knetsim::skupper::wire
