#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attach/lab_socket.h"
#include "event_loop.h"
#include "knetsim/emulator/emulation.h"
#include "terminal.h"

namespace knetsim::cli::shell {

/// What a prompt has around it.
struct Surroundings {
  const Interrupts& interrupts;  ///< SIGWINCH included
  const Registration& registration;
  std::string topology;  ///< as `knetsim ps` shows it
  bool interactive;      ///< somebody sits at a terminal; else lines are read from stdin and echoed
};

struct PromptEnd {
  int first_failure;            ///< how the first line that failed ended; 0 if none did
  std::optional<int> asked_to;  ///< the exit code, if a signal or a visitor asked for the end
  std::vector<Fd> waiting;      ///< visitors who wait for the end: close them when everything is down
};

/// Shows the picture, then does one line after the other until somebody asks to end. Visitors are served all the time.
PromptEnd run_prompt(Emulation& emulation, const Surroundings& around, Terminal& terminal, const Style& style);

}  // namespace knetsim::cli::shell
