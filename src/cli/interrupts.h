#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// A signal asked for an end where there is no result to show yet.
class Interrupted : public Error {
 public:
  explicit Interrupted(int signal);
  int signal() const noexcept { return signal_; }

 private:
  int signal_;
};

/// One that came in.
struct CaughtSignal {
  int number;
  bool typed;  ///< by a key: the terminal has told everybody in its foreground group
};

/// SIGINT, SIGTERM and SIGHUP, and others if asked for, as something to poll (signalfd(2)), for as long as this object
/// lives, except those that were ignored when it was made (nohup(1)). Children have them unblocked: see Child.
class Interrupts {
 public:
  explicit Interrupts(std::initializer_list<int> others = {});
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  FdView fd() const noexcept { return fd_; }
  /// The next signal that came in; nullopt if none did.
  std::optional<CaughtSignal> take() const;

 private:
  sigset_t before_{};
  Fd fd_;
};

}  // namespace knetsim::cli
