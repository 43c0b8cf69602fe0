#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "knetsim/emulator/emulation.h"
#include "knetsim/explain/explanation.h"

namespace knetsim::explain {

/// "C0w2/c2", "10.0.0.4", "100.64.10.1:80", "C0w2/c2:53/udp", "[fd00::4]:80/tcp": without a protocol it is tcp where
/// there is a port, else icmp. Throws InputError that names the part at fault, with the nearest name.
Question question_of(Emulation& emulation, std::string_view from, std::string_view to);

struct Options {
  unsigned probes = 3;                                ///< so that a packet lost once isn't a verdict
  std::chrono::milliseconds budget{1'000};            ///< no probe begins after that
  std::chrono::milliseconds quiet{80};                ///< after which a packet that isn't seen any more counts as lost
  bool sizes = true;                                  ///< also a packet as long as the source's link takes
  bool dry = false;                                   ///< only look: send nothing, and change nothing
  bool all_rules = false;                             ///< the text of rules that change nothing, too
  std::function<bool()> stop = [] { return false; };  ///< asked in between: it ends at once, and throws Stopped
};

/// It was told to stop; nothing is left behind.
class Stopped : public Error {
 public:
  using Error::Error;
};

/// Sends real packets from the source's stack, watches them in every namespace that can see them, and says what became
/// of them. What it changes for that (a table of the packet filter in each of these) is undone; a virtual address takes
/// its turns. For the emulation's own thread; for several at once as long as none of them changes the emulation. Throws
/// InputError if the question's source isn't there.
Explanation explain(Emulation& emulation, const Question& question, const Options& options = {});

}  // namespace knetsim::explain
