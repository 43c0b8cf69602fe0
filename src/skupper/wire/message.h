#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/codec.h"
#include "wire/value.h"

namespace knetsim::skupper::wire {

/// The section that stands in front of every message between routers (annotations version 2, descriptor
/// 0x534B5052:0x2D2D5241, "SKPR--RA"): a list of flags, to-override, ingress router, trace.
struct RouterAnnotations {
  static constexpr std::uint32_t kStreaming = 1;       ///< a delivery that is forwarded before it is complete
  static constexpr std::uint32_t kResendReleased = 4;  ///< a released delivery may go elsewhere
  std::uint32_t flags = 0;                             ///< 5 for a TCP flow, else 0
  std::optional<std::string> to_override;              ///< goes before the properties' `to`
  std::string ingress;                                 ///< "0/c0": where the message entered the network
  std::vector<std::string> trace;                      ///< "0/c0", "0/c1": the routers that it has left
  bool operator==(const RouterAnnotations&) const = default;
};

/// What a router writes in front of a message of its own: ingress and trace are itself. `router` is an id, "c0".
RouterAnnotations originate(std::string_view router, std::uint32_t flags = 0);
/// What a router writes in front of a message that it passes on: itself at the end of the trace.
RouterAnnotations forwarded(RouterAnnotations annotations, std::string_view router);
/// Whether `router` has seen this message before: it must then be dropped.
bool has_passed(const RouterAnnotations& annotations, std::string_view router);

std::string encode(const RouterAnnotations& annotations);

/// A message with its first section taken off. `rest` views into the bytes that were parsed.
struct AnnotatedMessage {
  RouterAnnotations annotations;
  std::string_view rest;
};
/// Throws ProtocolError if the message doesn't begin with the section (an older router's doesn't), TruncatedError if it
/// ends within it.
AnnotatedMessage split_annotations(std::string_view message);

/// The fields of AMQP's properties section (part 3.2.4) that routers use. Null or empty where the message has none.
struct Properties {
  Value message_id;
  std::string to;
  std::string subject;
  std::string reply_to;
  Value correlation_id;
  std::string content_type;
  bool operator==(const Properties&) const = default;
};

/// A message as routers exchange it, section by section.
struct Message {
  RouterAnnotations annotations;
  std::optional<List> header;
  Properties properties;
  Map application_properties;
  Value body;  ///< of the AMQP-value section
  bool operator==(const Message&) const = default;
};

/// A message's beginning, up to its body's value. What follows are the bytes of a TCP flow.
struct ParsedMessage {
  Message message;
  std::size_t length = 0;  ///< bytes that it took
};
/// Sections that routers don't use (delivery and message annotations) are passed over. Throws TruncatedError as long as
/// the body hasn't arrived (more bytes may complete it), ProtocolError if the bytes aren't such a message.
ParsedMessage parse_message(std::string_view bytes);

/// Descriptors of a message's sections (AMQP 1.0, part 3.2), in the order in which they come.
enum class Section : std::uint64_t {
  header = 0x70,
  delivery_annotations = 0x71,
  message_annotations = 0x72,
  properties = 0x73,
  application_properties = 0x74,
  data = 0x75,
  amqp_sequence = 0x76,
  amqp_value = 0x77,
  footer = 0x78,
};

constexpr std::uint64_t code(Section section) { return static_cast<std::uint64_t>(section); }

/// The beginning of the delivery that carries one direction of a TCP connection. The connection's bytes follow it
/// as they are, in the same transfer or in later ones; the delivery's end is the FIN.
struct FlowHead {
  RouterAnnotations annotations;              ///< flags: streaming and resend-released
  std::string to;                             ///< "svc1:8080"; in the answer the request's reply-to
  std::optional<std::string> reply_to;        ///< of a request: "amqp:/_topo/0/c1/temp.QDN_GbjpU_GPGc7"
  std::optional<std::string> correlation_id;  ///< of a request: the flow's id, "PqkwA:5"
  bool operator==(const FlowHead&) const = default;
};

/// What the listener's side sends: from router `router` to the service `to`.
FlowHead flow_request(std::string_view router, std::string to, std::string reply_to, std::string correlation_id);
/// What the connector's side answers with.
FlowHead flow_reply(std::string_view router, std::string to);

/// The bytes of skrouterd's first transfer, annotations included.
std::string encode(const FlowHead& head);

struct ParsedFlow {
  FlowHead head;
  std::size_t length = 0;  ///< bytes that it took: those of the connection begin there
};
/// nullopt as long as the head isn't complete (call again when more bytes have come). Throws ProtocolError if it isn't
/// one: no annotations, no `to`, or an encapsulation version (application property "V") other than 1.
std::optional<ParsedFlow> parse_flow(std::string_view bytes);

/// For a router in the middle: the same message with this router added to the trace. The bytes after the annotations
/// stay as they are. nullopt as long as the annotations aren't complete. `length`: how many of the bytes they took.
struct ForwardedHead {
  RouterAnnotations annotations;  ///< as they came
  std::string encoded;            ///< as they go on
  std::size_t length = 0;
};
std::optional<ForwardedHead> forward_annotations(std::string_view bytes, std::string_view router);

}  // namespace knetsim::skupper::wire
