#include "pod_runtime.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "knetsim/sys/error.h"
#include "knetsim/sys/pty.h"

namespace knetsim {

namespace {

Fd dev_null() {
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) throw SystemError("open", "/dev/null");
  return null;
}

Fd not_blocking(Fd fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) throw SystemError("make a pipe of a program not block");
  return fd;
}

PodProgram start_on_terminal(const Command& command, Streams wanted, const std::vector<Shown>& shown) {
  auto pair = PtyPair::open();
  auto child = Child::launch(command, pair.programs, pair.programs, pair.programs, {.terminal = true, .shown = shown});
  auto in = wanted.in ? duplicate(pair.ours) : Fd();
  return {.child = std::move(child), .in = std::move(in), .out = std::move(pair.ours), .err = {}, .container = {}};
}

}  // namespace

Fd tcp_socket_in(const NetNs& netns) {
  Fd socket(netns.run([] { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }));
  if (!socket) throw SystemError("open a socket in a pod");
  return socket;
}

Fd duplicate(FdView fd) {
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) throw SystemError("duplicate a descriptor");
  return copy;
}

PodProgram start_with_streams(const Command& command, Streams wanted, const std::vector<Shown>& shown) {
  if (wanted.terminal) return start_on_terminal(command, wanted, shown);
  Pipe in = wanted.in ? Pipe::create() : Pipe{.read = dev_null(), .write = {}};
  Pipe out = wanted.out ? Pipe::create() : Pipe{.read = {}, .write = dev_null()};
  Pipe err = wanted.err ? Pipe::create() : Pipe{.read = {}, .write = dev_null()};
  auto child = Child::launch(command, in.read, out.write, err.write, {.shown = shown});
  const auto ours = [](Fd& end) { return end ? not_blocking(std::move(end)) : Fd(); };
  return {
      .child = std::move(child), .in = ours(in.write), .out = ours(out.read), .err = ours(err.read), .container = {}};
}

}  // namespace knetsim
