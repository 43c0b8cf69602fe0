#pragma once

#include <set>
#include <string>
#include <vector>

#include "session.h"

namespace knetsim::cli::shell {

/// Daemons and containers' programs that end by themselves: nobody types anything that would tell.
class News {
 public:
  /// Waits, for a second at most, until the programs that containers were given have settled: they wait for something,
  /// or have ended. What ends at once is told with the boot then.
  static void settle(Session& session);
  /// "w1/c1 false has ended (exit code 1); its log is ...": what has ended since it was asked last.
  std::vector<std::string> take(Session& session);

 private:
  std::set<int> told_;  // by pid
};

}  // namespace knetsim::cli::shell
