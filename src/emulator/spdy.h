#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace knetsim::spdy {

// SPDY/3.1 as far as kubectl and API servers speak it: streams, their headers, data.
// Nobody there heeds windows or priorities. Source: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1.

using Headers = std::map<std::string, std::string>;  ///< names are lower case

enum class Kind { syn_stream, syn_reply, reset, ping, go_away, data, other };

struct Frame {
  Kind kind = Kind::other;
  std::uint32_t stream = 0;
  bool last = false;         ///< the sender ends its side of the stream
  Headers headers = {};      ///< of syn_stream and syn_reply
  std::string data = {};     ///< of data
  std::uint32_t number = 0;  ///< of ping: its id; of reset: why
};

/// The bytes of one side of a connection, as frames. Throws InputError for what can't be read, or is too large: after
/// that the connection is of no use.
class Reader {
 public:
  Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;
  ~Reader();

  void take(std::string_view bytes);
  /// Nullopt: the next one isn't there as a whole yet.
  std::optional<Frame> next();

 private:
  struct Inflater;
  Headers headers_in(std::string_view block);

  std::string bytes_;
  std::unique_ptr<Inflater> inflater_;
};

/// What is said, in bytes. One for each side of a connection: headers are compressed by what went before.
class Writer {
 public:
  Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;
  ~Writer();

  std::string syn_stream(std::uint32_t stream, const Headers& headers, bool last = false);
  std::string syn_reply(std::uint32_t stream, const Headers& headers = {});
  static std::string data(std::uint32_t stream, std::string_view bytes, bool last = false);
  /// `why`: 1 protocol error, 3 refused, 5 cancelled.
  static std::string reset(std::uint32_t stream, std::uint32_t why);
  static std::string ping(std::uint32_t id);

 private:
  struct Deflater;
  std::string block_of(const Headers& headers);

  std::unique_ptr<Deflater> deflater_;
};

/// What headers are compressed against.
std::string dictionary();

}  // namespace knetsim::spdy
