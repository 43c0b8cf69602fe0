#pragma once

#include <sys/types.h>

#include <variant>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"

namespace knetsim {

/// The side of a split that somebody waits for: what the other one tells until it is ready, and its end.
struct InFront {
  pid_t pid;     ///< of the other side
  Fd pidfd;      ///< readable once that has ended
  Fd output;     ///< what it writes to its stdout ...
  Fd errors;     ///< ... and stderr
  Fd readiness;  ///< readable once it is ready

  /// Waits for its end.
  ExitStatus wait() const;
};

/// The side that goes on without a terminal, in a session of its own: stdin is /dev/null, stdout and stderr are pipes
/// to the other side until this one is ready.
class Behind {
 public:
  explicit Behind(Fd readiness) : readiness_(std::move(readiness)) {}
  /// stdout and stderr become /dev/null, and the other side learns that this one is ready. Flush them before.
  void get_ready();

 private:
  Fd readiness_;
};

/// This process becomes two (fork(2)), which go on here, each with its side: as daemon(7) does, but the one in front
/// learns whether the other one got ready. For processes of one thread. Throws SystemError.
std::variant<InFront, Behind> split();

}  // namespace knetsim
