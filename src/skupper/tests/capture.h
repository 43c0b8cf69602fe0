#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "wire/value.h"

// What two real routers said to each other (skrouterd 3.5.1; c1 connects to c0), from captures/skrouterd-3.5.1.txt.
namespace knetsim::skupper::wire {

/// What GoogleTest shows of a value.
void PrintTo(const Value& value, std::ostream* out);

enum class Side { connector, listener };  ///< c1, c0

/// An AMQP or SASL frame, or a protocol header (which has no performative).
struct Frame {
  int packet = 0;  ///< the capture's number of the packet that completed it
  std::chrono::milliseconds time{};
  int stream = 0;
  Side sender = Side::connector;
  bool sasl = false;
  std::uint16_t channel = 0;
  std::uint64_t code = 0;  ///< the performative's descriptor: 0x10 OPEN, 0x12 ATTACH, 0x14 TRANSFER, …
  List fields;             ///< of the performative
  std::string payload;     ///< what follows it
};

/// A delivery, put together from its transfers.
struct Delivery {
  int packet = 0;  ///< of its first transfer
  std::chrono::milliseconds time{};
  int stream = 0;
  Side sender = Side::connector;
  std::uint16_t channel = 0;
  std::string first;  ///< payload of the first transfer
  std::string bytes;  ///< of all
};

struct Capture {
  std::vector<Frame> frames;
  std::vector<Delivery> deliveries;

  /// The frames with this performative.
  std::vector<Frame> with(std::uint64_t code) const;
  /// The first delivery that began in this packet.
  const Delivery& delivery(int packet) const;
};

/// Takes the whole frames off the front of what one end sends.
std::vector<Frame> take_frames(std::string& bytes);
/// All frames in what one end sent; throws if there is anything else. Packet, time, stream and sender are left out.
std::vector<Frame> read_frames(std::string_view bytes);

/// Throws if anything in the file isn't a whole frame. "skrouterd-3.5.1-edge": an edge router connects to an interior
/// one.
Capture read_capture(const std::string& name = "skrouterd-3.5.1");

}  // namespace knetsim::skupper::wire
