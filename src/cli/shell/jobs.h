#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "event_loop.h"
#include "knetsim/emulator/node.h"
#include "knetsim/sys/process.h"
#include "terminal.h"

namespace knetsim {

class Child;

}  // namespace knetsim

namespace knetsim::cli::shell {

/// What somebody asked for while something else goes on.
struct Requests {
  bool interrupt = false;  ///< Ctrl-C, or SIGINT: by itself it ends what runs, and no more
  std::optional<int> end;  ///< take everything down, and exit with this code
  /// What visitors want done between two lines, in this order.
  std::deque<std::function<void()>> errands;
  bool idle = false;  ///< nothing is being done: the next line is waited for

  /// Does the first errand, if there is one.
  bool do_errand();
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

/// A program that was started at the prompt and goes on beside it.
struct BackgroundProgram {
  std::string node;
  std::string name;
  std::filesystem::path capture;  ///< the file that a packet capture writes; empty for other programs
  Process process;
};

/// Those programs; they end with it.
class Background {
 public:
  /// Output goes to a file of its own in the node's directory; stdin is /dev/null. Throws Error if it can't start.
  BackgroundProgram& start(const Node& node, std::vector<std::string> argv, const std::filesystem::path& capture = {});
  std::list<BackgroundProgram>& programs() noexcept { return programs_; }
  /// Ends and forgets those on this node: it is about to go.
  void end_on(const std::string& node);
  /// Forgets those that have ended.
  void forget_ended();

 private:
  std::list<BackgroundProgram> programs_;
  unsigned started_ = 0;
};

}  // namespace knetsim::cli::shell
