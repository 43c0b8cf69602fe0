#include "knetsim/sys/try_in_child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iostream>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"
#include "knetsim/sys/sandbox.h"

namespace knetsim {

namespace {

void say(int fd, const std::string& text) {
  if (::write(fd, text.data(), text.size()) < 0) ::_exit(1);
}

[[noreturn]] void be_the_child(const Pipe& pipe, bool sandboxed, const std::function<void()>& probe) {
  // What the sandbox says when it refuses goes to stderr.
  ::dup2(pipe.write.get(), STDERR_FILENO);
  try {
    if (sandboxed) Sandbox::enter();
    probe();
    ::_exit(0);
  } catch (const std::exception& error) {
    say(pipe.write.get(), error.what());
    ::_exit(1);
  }
}

}  // namespace

std::optional<std::string> try_in_child(bool sandboxed, const std::function<void()>& probe) {
  auto pipe = Pipe::create();
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) throw SystemError("fork a child to try a kernel feature");
  if (child == 0) be_the_child(pipe, sandboxed, probe);
  pipe.write.reset();
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const auto count = ::read(pipe.read.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const ExitStatus end(status);
  if (end.success()) return std::nullopt;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? end.describe() : text;
}

}  // namespace knetsim
