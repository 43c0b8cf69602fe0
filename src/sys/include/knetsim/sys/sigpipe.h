#pragma once

#include <csignal>

namespace knetsim {

/// While it stands, a write of this thread to a closed pipe is EPIPE alone: SIGPIPE is blocked, and one that arrived is
/// taken at the end, so that the process's own disposition of it (signal(7)) doesn't matter.
class SigpipeBlocked {
 public:
  SigpipeBlocked();
  ~SigpipeBlocked();
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace knetsim
