#pragma once

#include <poll.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "knetsim/sys/error.h"
#include "knetsim/sys/fd.h"

namespace knetsim::cli {

/// Descriptors to wait for, each with what to do when it is ready (poll(2)). For one thread; handlers must not wait.
class EventLoop {
 public:
  using Handler = std::function<void()>;

  /// Ends its watch with itself; the loop must outlive it. Move-only.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), id_(other.id_) {}
    Watch& operator=(Watch&& other) noexcept;
    ~Watch() { end(); }
    void end();
    bool ended() const noexcept { return loop_ == nullptr; }

   private:
    friend class EventLoop;
    Watch(EventLoop& loop, unsigned id) : loop_(&loop), id_(id) {}
    EventLoop* loop_ = nullptr;
    unsigned id_ = 0;
  };

  /// `events`: POLLIN, POLLOUT; a hang-up or error counts as well.
  [[nodiscard]] Watch watch(FdView fd, short events, Handler handler);
  /// Handles what comes until `done`, which is asked after each round.
  void run_until(const std::function<bool()>& done);
  /// The same for so long at most.
  void run_until(const std::function<bool()>& done, std::chrono::milliseconds budget);
  /// Handles what is there, without waiting.
  void run_ready() { run_once(0); }

 private:
  struct Entry {
    int fd;
    short events;
    std::shared_ptr<Handler> handler;
  };

  void run_once(int timeout);

  std::map<unsigned, Entry> entries_;
  unsigned next_id_ = 0;
};

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
