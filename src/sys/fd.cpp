#include "knetsim/sys/fd.h"

#include <fcntl.h>

#include <cerrno>
#include <ctime>

#include "knetsim/sys/error.h"

namespace knetsim {

Pipe Pipe::create() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw SystemError("create a pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

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
