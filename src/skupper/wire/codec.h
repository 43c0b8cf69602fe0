#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "knetsim/sys/error.h"
#include "wire/value.h"

namespace knetsim::skupper::wire {

/// Bytes of a peer that aren't what the protocol asks for. Says what was expected, what came, and at which offset.
class ProtocolError : public Error {
 public:
  using Error::Error;
};

/// The bytes end in the middle of a value: more of them may complete it.
class TruncatedError : public ProtocolError {
 public:
  using ProtocolError::ProtocolError;
};

/// Takes values off the front of somebody else's bytes (decoder.cpp). Whatever those are, it ends with values or a
/// ProtocolError; what it allocates is bounded by a small multiple of their number, and values nest at most 32 deep.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : all_(bytes), rest_(bytes) {}
  /// The next value. Throws TruncatedError if the bytes end too early.
  Value value();
  bool at_end() const noexcept { return rest_.empty(); }
  /// How many bytes have been taken.
  std::size_t offset() const noexcept { return all_.size() - rest_.size(); }
  std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view all_;
  std::string_view rest_;
};

/// The one value that the bytes consist of. Throws ProtocolError, also if more follows.
Value decode(std::string_view bytes);

/// Writes values (encoder.cpp) as skrouterd does (qd_compose_*): the shortest scalar, list32 and map32 always, sym8 and
/// str8 up to 255 bytes. Arrays, which it has none of, become array32.
class Encoder {
 public:
  /// An empty list is either list0, as skrouterd writes those it makes in Python, or a list32 of none, as in C.
  enum class EmptyList { list0, list32 };

  explicit Encoder(EmptyList empty_list = EmptyList::list0) : empty_list_(empty_list) {}
  /// Throws std::invalid_argument if an array's elements aren't of one type.
  void value(const Value& value);
  /// A described value, as a message's sections are.
  void section(std::uint64_t descriptor, const Value& value);
  const std::string& bytes() const noexcept { return bytes_; }
  std::string take() noexcept { return std::move(bytes_); }

 private:
  EmptyList empty_list_;
  std::string bytes_;
};

std::string encode(const Value& value, Encoder::EmptyList empty_list = Encoder::EmptyList::list0);

}  // namespace knetsim::skupper::wire
