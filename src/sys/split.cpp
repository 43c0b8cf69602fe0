#include "knetsim/sys/split.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "knetsim/sys/error.h"

namespace knetsim {

namespace {

Fd open_null() {
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  return null;
}

void become(FdView from, int standard) {
  if (::dup2(from.get(), standard) < 0) throw SystemError("give up the terminal");
}

}  // namespace

ExitStatus InFront::wait() const {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) throw SystemError("wait for the process in the background");
  return ExitStatus(status);
}

void Behind::get_ready() {
  const auto null = open_null();
  become(null, STDOUT_FILENO);
  become(null, STDERR_FILENO);
  const char word = '\n';
  if (::write(readiness_.get(), &word, 1) != 1) throw SystemError("tell that this is ready");
  readiness_.reset();
}

std::variant<InFront, Behind> split() {
  auto output = Pipe::create();
  auto errors = Pipe::create();
  auto readiness = Pipe::create();
  const auto null = open_null();
  const auto pid = ::fork();
  if (pid < 0) throw SystemError("fork");
  if (pid > 0) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) throw SystemError("open a pidfd of the process in the background");
    return InFront{pid, std::move(pidfd), std::move(output.read), std::move(errors.read), std::move(readiness.read)};
  }
  if (::setsid() < 0) throw SystemError("begin a session");
  become(null, STDIN_FILENO);
  become(output.write, STDOUT_FILENO);
  become(errors.write, STDERR_FILENO);
  return Behind(std::move(readiness.write));
}

}  // namespace knetsim
