#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "knetsim/sys/process.h"

namespace knetsim::stream_frames {

// What exec and attach say to each other in WebSocket messages: the first byte of each is a channel. Subprotocol
// v5.channel.k8s.io; v4 is the same without kClose. Source: k8s.io/apimachinery/pkg/util/remotecommand/constants.go.

inline constexpr std::string_view kV5 = "v5.channel.k8s.io";
inline constexpr std::string_view kV4 = "v4.channel.k8s.io";

enum class Channel : unsigned char { in = 0, out = 1, err = 2, status = 3, resize = 4, close = 255 };

struct Window {
  unsigned short rows = 0;
  unsigned short columns = 0;
};

/// What a client has said.
struct Message {
  enum class Kind { nothing, input, end_of_input, resize };  ///< nothing: empty, or a channel that isn't a client's
  Kind kind = Kind::nothing;
  std::string_view data = {};  ///< input
  Window window = {};
};

/// Never throws: what can't be read is nothing. `data` is a part of `text`.
Message read(std::string_view text);

/// The last word: a Status (meta/v1) in JSON, as remotecommand's errorChannel has it.
std::string status_of(const ExitStatus& end);

}  // namespace knetsim::stream_frames
