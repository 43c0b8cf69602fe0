#pragma once

#include <sys/types.h>

#include <concepts>
#include <string>
#include <utility>

#include "knetsim/sys/fd.h"

namespace knetsim {

/// A network namespace held by a descriptor: it lives as long as this handle, a process or a socket is in it.
/// See network_namespaces(7).
class NetNs {
 public:
  /// A fresh one, its loopback up. The calling thread stays where it was.
  static NetNs create();
  /// Sets lo up in the calling thread's namespace.
  static void set_loopback_up();
  /// The calling thread's own (/proc/thread-self/ns/net).
  static NetNs current();
  /// One that somebody pinned to a path, such as /run/netns/C0w1.
  static NetNs open(const std::string& path);

  /// Calls `f` with the calling thread inside this namespace. Sockets that `f` makes stay in it. If the thread can't
  /// return afterwards the program is aborted: nothing after that point could be trusted.
  template <std::invocable F>
  decltype(auto) run(F&& f) const {
    const Switch inside(fd_);
    return std::forward<F>(f)();
  }

  /// Bind-mounts it at /run/netns/<name>, where `ip netns exec`, nsenter and tcpdump find it. Only in a sandbox.
  void pin(const std::string& name) const;
  /// Removes that mount again; absent is no error.
  static void unpin(const std::string& name);

  FdView fd() const noexcept { return fd_; }
  /// The number in "net:[4026531840]": equal for two handles of the same namespace.
  ino_t inode() const;

 private:
  explicit NetNs(Fd fd) : fd_(std::move(fd)) {}

  class Switch {
   public:
    explicit Switch(FdView target);
    ~Switch();
    Switch(const Switch&) = delete;
    Switch& operator=(const Switch&) = delete;

   private:
    Fd home_;
  };

  Fd fd_;
};

/// A hostname for programs: a UTS namespace held by a descriptor; it lives as long as this handle or a process in it.
/// See uts_namespaces(7).
class UtsNs {
 public:
  /// A fresh one. The calling thread stays where it was.
  static UtsNs create(const std::string& hostname);

  FdView fd() const noexcept { return fd_; }

 private:
  explicit UtsNs(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace knetsim
