#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "knetsim/sys/process.h"

namespace knetsim {

/// A child and how it ended; what Process, exec() and PtyProcess share. Killed with its owner.
class Child {
 public:
  /// Starts the command in a new session with these as its fds 0 to 2. If `terminal` is set, fd 0 becomes the
  /// session's controlling terminal. Throws Error naming program and reason.
  static Child launch(const Command& command, FdView in, FdView out, FdView err, bool terminal = false);

  Child(Child&&) noexcept;
  Child& operator=(Child&&) noexcept;
  ~Child();

  pid_t pid() const noexcept;
  FdView pidfd() const noexcept;
  std::optional<ExitStatus> status();
  ExitStatus wait(std::chrono::milliseconds budget);
  /// SIGKILL to the whole session's first process group, then reaps.
  void kill();

 private:
  struct State;
  explicit Child(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace knetsim
