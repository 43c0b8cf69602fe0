#pragma once

#include <ostream>
#include <string>

#include "event_loop.h"
#include "foreground.h"
#include "line_source.h"

namespace knetsim::cli::shell {

inline constexpr const char* kPrompt = "knetsim> ";

/// The lines of a pipe or a file, each echoed behind a prompt, so that the output reads like a session.
class LineReader : public LineSource {
 public:
  LineReader(EventLoop& loop, Requests& requests, FdView input, std::ostream& echo)
      : loop_(loop), requests_(requests), input_(input), echo_(echo) {}

  std::optional<std::string> next() override;

 private:
  void read_more();

  EventLoop& loop_;
  Requests& requests_;
  FdView input_;
  std::ostream& echo_;
  std::string unread_;
  bool at_end_ = false;
};

}  // namespace knetsim::cli::shell
