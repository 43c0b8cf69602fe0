#pragma once

#include <cstdint>

namespace knetsim::skupper::wire {

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

}  // namespace knetsim::skupper::wire
