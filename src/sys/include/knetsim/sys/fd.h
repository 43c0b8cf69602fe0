#pragma once

#include <unistd.h>

#include <csignal>
#include <utility>

namespace knetsim {

/// A descriptor that belongs to somebody else and outlives this value.
class FdView {
 public:
  explicit FdView(int fd) noexcept : fd_(fd) {}
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// An owned descriptor, closed with its owner. Move-only; empty after a move.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  // An owner lends its descriptor implicitly; the other way needs an explicit dup.
  operator FdView() const noexcept { return FdView(fd_); }  // NOLINT(google-explicit-constructor)

 private:
  int fd_ = -1;
};

/// Both ends of pipe2(O_CLOEXEC).
struct Pipe {
  Fd read;
  Fd write;
  static Pipe create();
};

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
