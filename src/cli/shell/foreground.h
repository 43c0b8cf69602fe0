#pragma once

#include <optional>
#include <string>

#include "event_loop.h"
#include "knetsim/sys/process.h"
#include "terminal_relay.h"

namespace knetsim {
class Child;
}

namespace knetsim::cli::shell {

/// What somebody asked for while something else goes on.
struct Requests {
  bool interrupt = false;  ///< Ctrl-C, or SIGINT: by itself it ends what runs, and no more
  std::optional<int> end;  ///< take everything down, and exit with this code
};

/// Runs programs in front, one at a time: with a terminal, on a pseudo terminal of their own, so that Ctrl-C reaches
/// them and nobody else; without one, on our own stdout and stderr, with nothing to read. What the loop watches
/// goes on meanwhile.
class Foreground {
 public:
  Foreground(EventLoop& loop, Requests& requests, bool on_terminal)
      : loop_(loop), requests_(requests), on_terminal_(on_terminal) {}

  /// Until its end. Throws Error if it can't be started.
  ExitStatus run(const knetsim::Command& command);
  /// The terminal has changed its size.
  void resize() const;
  /// What was typed while programs ran, and none of them read.
  std::string take_typed_ahead() { return std::exchange(typed_ahead_, {}); }

 private:
  ExitStatus run_on_terminal(const knetsim::Command& command);
  ExitStatus run_plainly(const knetsim::Command& command);
  void end(Child& child);

  EventLoop& loop_;
  Requests& requests_;
  bool on_terminal_;
  TerminalRelay* relay_ = nullptr;  // of the program that runs
  std::string typed_ahead_;
};

}  // namespace knetsim::cli::shell
