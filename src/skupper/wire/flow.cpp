#include "wire/flow.h"

#include <fmt/format.h>

#include "wire/message.h"

namespace knetsim::skupper::wire {

namespace {

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
