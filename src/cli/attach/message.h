#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// What goes over a lab's socket: one JSON object, docs/results-schema.md, "knetsim.attach/1", and descriptors.
struct Message {
  std::string text;
  std::vector<Fd> descriptors;
};

/// Throws SystemError; a peer that has gone is no error.
void send_message(FdView socket, const std::string& text, const std::vector<FdView>& descriptors = {});
/// The next one; blocks. nullopt if the peer has gone.
std::optional<Message> receive_message(FdView socket);

}  // namespace knetsim::cli
