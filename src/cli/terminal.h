#pragma once

#include <termios.h>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

#include "event_loop.h"
#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// Where a command writes. Tests give it two string streams.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool interactive = false;  ///< `out` is a terminal that understands escape sequences
  std::size_t columns = 0;   ///< 0: unlimited, as in a file

  /// std::cout and std::cerr as they are.
  static Terminal standard();
};

enum class ColorMode { automatic, always, never };

/// The marks and colours of one run. Colour never carries a meaning alone: ✓ and ✗ are always there.
class Style {
 public:
  /// Automatic means on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb".
  static Style choose(ColorMode mode, const Terminal& terminal);
  explicit Style(bool color) : color_(color) {}

  std::string green(std::string_view text) const { return paint("32", text); }
  std::string red(std::string_view text) const { return paint("31", text); }
  std::string yellow(std::string_view text) const { return paint("33", text); }
  std::string dim(std::string_view text) const { return paint("2", text); }
  std::string bold(std::string_view text) const { return paint("1", text); }

 private:
  std::string paint(std::string_view code, std::string_view text) const;
  bool color_;
};

inline constexpr std::string_view kGood = "✓";
inline constexpr std::string_view kBad = "✗";
inline constexpr std::string_view kNeither = "–";

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
  /// Whether Ctrl-C was pressed since the last time; it has gone to the pseudo terminal as well.
  bool take_interrupt_key() { return std::exchange(interrupt_key_, false); }
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
  bool interrupt_key_ = false;
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
