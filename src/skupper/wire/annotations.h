#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/codec.h"

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

}  // namespace knetsim::skupper::wire
