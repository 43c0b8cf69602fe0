#pragma once

#include <functional>
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
  enum class Lines { typed, read, visitors };
  Lines lines;                          ///< typed at a terminal, read from stdin and echoed, or visitors' alone
  std::function<void()> on_ready = {};  ///< called once everything is there
};

struct PromptEnd {
  int first_failure;            ///< how the first line that failed ended; 0 if none did
  std::optional<int> asked_to;  ///< the exit code, if a signal or a visitor asked for the end
  std::vector<Fd> waiting;      ///< visitors who wait for the end: close them when everything is down
};

/// Shows the picture, then does one line after the other until somebody asks to end. Visitors are served all the time.
PromptEnd run_prompt(Emulation& emulation, const Surroundings& around, Terminal& terminal, const Style& style);

}  // namespace knetsim::cli::shell
