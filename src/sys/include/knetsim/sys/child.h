#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "knetsim/sys/process.h"

namespace knetsim {

/// A file or directory that is shown at another path, where one of its kind is already. A directory that is shown at /
/// is the root directory from then on.
struct Shown {
  std::filesystem::path from;
  std::filesystem::path at;
  bool read_only = false;
  bool if_there = false;  ///< left out if there is no `from` any more
};

/// What a child may be given beside its command and its fds 0 to 2.
struct Extras {
  bool terminal = false;          ///< fd 0 becomes its session's controlling terminal
  std::vector<FdView> kept = {};  ///< stay open, under the numbers that they have; above 2
  std::vector<Shown> shown = {};  ///< in this order, to it and what it starts alone (a mount namespace of its own)
  bool dies_with_caller = false;  ///< SIGKILL when the calling thread ends, however (PR_SET_PDEATHSIG)
};

/// A child and how it ended: every program that is started, is started here. What Process, exec() and PtyProcess share.
/// Killed with its owner.
class Child {
 public:
  /// Starts the command in a new session with these as its fds 0 to 2. Throws Error naming program and reason.
  static Child launch(const Command& command, FdView in, FdView out, FdView err, const Extras& extras = {});

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
