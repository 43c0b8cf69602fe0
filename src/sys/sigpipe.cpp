#include "knetsim/sys/sigpipe.h"

#include <cerrno>
#include <ctime>

namespace knetsim {

SigpipeBlocked::SigpipeBlocked() {
  ::sigemptyset(&pipe_);
  ::sigaddset(&pipe_, SIGPIPE);
  sigset_t pending{};
  ::sigpending(&pending);
  // One that was there before is somebody else's.
  was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
  ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
}

SigpipeBlocked::~SigpipeBlocked() {
  const timespec now{};
  if (!was_pending_) {
    while (::sigtimedwait(&pipe_, nullptr, &now) == -1 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace knetsim
