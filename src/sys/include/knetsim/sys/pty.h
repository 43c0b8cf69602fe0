#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

#include "knetsim/sys/eventually.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"

namespace knetsim {

/// Both sides of a pseudo terminal, pty(7). Ours doesn't block.
struct PtyPair {
  Fd ours;      ///< what is written here is typed; what is read here was printed
  Fd programs;  ///< a program's standard streams
  static PtyPair open();
};

/// Either side; tells the terminal's foreground process group (SIGWINCH) if that changes the size.
void set_window(FdView terminal, unsigned short rows, unsigned short columns);

/// What the program finds when it starts. See pty(7), termios(3).
struct TerminalSettings {
  unsigned short rows = 24;
  unsigned short columns = 80;
  bool echo = true;  ///< what is typed comes back as output
  bool raw = false;  ///< no line editing, and Ctrl-C is a byte like any other
};

/// A program on a pseudo terminal of its own, as a person would run it: leader of its session and of the terminal's
/// foreground process group. Not thread-safe. Move-only; killed with its owner, with all of its first process group.
class PtyProcess {
 public:
  static PtyProcess spawn(const Command& command, TerminalSettings settings = {});

  PtyProcess(PtyProcess&&) noexcept;
  PtyProcess& operator=(PtyProcess&&) noexcept;
  ~PtyProcess();

  /// Types this: "ls\n"; "\x03" is Ctrl-C, "\x04" Ctrl-D, "\x1a" Ctrl-Z. Throws StillMissing if nobody reads it.
  void write(std::string_view text);

  /// Waits until the output holds the text (or a match of the expression), and returns all output since the last
  /// expect() up to and with it. Lines end in "\r\n" unless raw. Throws StillMissing, telling what was seen, when
  /// the budget ends or the program does.
  std::string expect(std::string_view text, std::chrono::milliseconds budget = kDefaultBudget);
  std::string expect(const std::regex& expression, std::chrono::milliseconds budget = kDefaultBudget);
  /// The output that no expect() has returned yet, without waiting.
  std::string rest();

  /// Tells the foreground process group (SIGWINCH).
  void resize(unsigned short rows, unsigned short columns);
  void set_echo(bool on);
  void set_raw(bool on);

  pid_t pid() const noexcept;
  std::optional<ExitStatus> status();
  /// To the program alone; ended already is no error.
  void signal(int number);
  /// Waits for the end, reading what it prints meanwhile; throws StillMissing when the budget ends.
  ExitStatus wait(std::chrono::milliseconds budget = kDefaultBudget);
  /// Closes the terminal (SIGHUP for the session), then SIGKILL to its first process group.
  void kill();

 private:
  struct State;
  explicit PtyProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
