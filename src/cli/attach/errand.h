#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// A line that a visitor wants done as if it were typed at the prompt. Its visit and whoever does it share it.
struct Errand {
  std::string line;
  std::vector<Fd> descriptors;  ///< the visitor's stdin, stdout and stderr
  bool terminal = false;        ///< stdin is a terminal, which becomes that of programs in front
  std::string term;             ///< TERM for them; empty: as the lab's
  bool begun = false;
  bool over = false;         ///< the visitor has gone
  bool interrupted = false;  ///< the visitor wants its end
  pid_t program = 0;         ///< leads the process group of the one in front; 0: there is none
  /// Tells the visitor how the line ended. Empty once the visit is over.
  std::function<void(int code)> tell_end;
};

}  // namespace knetsim::cli
