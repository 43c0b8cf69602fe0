#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "wire/annotations.h"
#include "wire/value.h"

namespace knetsim::skupper::wire {

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

}  // namespace knetsim::skupper::wire
