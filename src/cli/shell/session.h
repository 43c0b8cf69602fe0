#pragma once

#include <functional>
#include <string>

#include "jobs.h"
#include "knetsim/emulator/emulation.h"
#include "knetsim/sys/process.h"
#include "line.h"
#include "terminal.h"

namespace knetsim::cli::shell {

/// What the lines of a prompt work on, and where they show what they do.
struct Session {
  Emulation& emulation;
  std::string name;  ///< of the lab, as `knetsim ps` tells it
  Terminal terminal;
  Style style;
  /// Runs a program in front of whoever sits there, to its end. Throws Error if it can't be started.
  std::function<ExitStatus(const knetsim::Command&)> run_in_front;
  /// Whether Ctrl-C was pressed since the line began: what takes long asks now and then.
  std::function<bool()> interrupted = [] { return false; };
  Background& background;
  bool leaving = false;  ///< `exit` was typed
  int sourcing = 0;      ///< how many files deep a line stands
};

/// Ends of a line, as a shell counts them.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kNotUnderstood = 2;
inline constexpr int kNoProgram = 127;

/// Understands a line and does it. Errors are told on terminal.err. Returns how it ended; 128 + the number of the
/// signal if one ended its program.
int execute(Session& session, const std::string& line);

}  // namespace knetsim::cli::shell
