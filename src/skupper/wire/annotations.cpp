#include "wire/annotations.h"

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

}  // namespace knetsim::skupper::wire
