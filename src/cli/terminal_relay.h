#pragma once

#include <termios.h>

#include <string>

#include "event_loop.h"
#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// Our own terminal (stdin and stdout) joined to a pseudo terminal, so that a program there is used as if it ran here:
/// keys go there byte by byte, Ctrl-C too, and what it prints comes here. Ours gets its settings back at the end,
/// whatever happened. Three Ctrl-] in a row ask for the end of a program that nothing else ends.
class TerminalRelay {
 public:
  /// `pseudo` is our side of it, which doesn't block (PtyPair::ours); it gets our terminal's size.
  TerminalRelay(EventLoop& loop, FdView pseudo);
  ~TerminalRelay();
  TerminalRelay(const TerminalRelay&) = delete;
  TerminalRelay& operator=(const TerminalRelay&) = delete;

  /// Our terminal has changed its size.
  void resize() const;
  bool end_wanted() const noexcept { return end_wanted_; }
  /// Shows what the program has printed until now; call it after its end.
  void drain();
  /// For a program that had no chance to do it: the usual screen, the cursor visible, colours off, a new line.
  void tidy_up();

 private:
  void read_keys();
  void write_keys();

  EventLoop& loop_;
  FdView pseudo_;
  termios before_{};
  std::string keys_;  // not taken yet
  int escapes_ = 0;   // Ctrl-] in a row
  bool end_wanted_ = false;
  bool other_screen_ = false;  // the program has switched to the alternate screen, as top and editors do
  EventLoop::Watch keyboard_;
  EventLoop::Watch output_;
  EventLoop::Watch room_;
};

/// Makes the pseudo terminal behave as ours does now: erase keys, UTF-8, echo.
void copy_settings(FdView from, FdView to);

/// What was typed for a program that has ended without reading it; taken from its side of the terminal.
std::string take_unread_keys(FdView programs_side);

}  // namespace knetsim::cli
