#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "wire/message.h"

namespace knetsim::skupper::wire {

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
