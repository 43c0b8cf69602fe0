#pragma once

#include <filesystem>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// The private world of one run: mount, pid, network, ipc and uts namespaces (and a user namespace when the caller
/// isn't root), with fresh /proc, /sys and /run, and a view of its state at /tmp/knetsim. When the program ends,
/// however it ends, the kernel destroys everything in it. See namespaces(7), user_namespaces(7), docs/decisions/.
class Sandbox {
 public:
  /// Call first in main, before any thread exists. Forks: the caller goes on inside, as a child of a tiny init, while
  /// the outer process waits and never returns from here; its exit code or fatal signal is that of the inner main.
  /// Where the kernel refuses, prints what is missing and the remedy, and exits 2.
  /// With KNETSIM_SANDBOX=off nothing is forked (for debuggers): the namespaces are made in place, without a pid one.
  static Sandbox enter();

  /// Makes it as good as new, for the next test of the same process: every other process in it killed, /run and /sys
  /// mounted afresh, a new network namespace. Call with a single thread and no handle alive.
  void renew() const;

 private:
  Sandbox(bool own_pids, Fd view) : own_pids_(own_pids), view_(std::move(view)) {}

  bool own_pids_;
  Fd view_;
};

/// Has the sandbox's init take this namespace's links down, one by one, after the program's end, as it does with those
/// that are pinned by then: the kernel would do it all at once, and nobody on the whole machine could change a link
/// meanwhile. Until then the namespace stays. Where there is no init, or it fails, the kernel does it.
void dismantle_at_the_end(const NetNs& netns) noexcept;

/// Where artefacts that must last go: $KNETSIM_OUT, else ./knetsim-out. Absolute. Not created here.
std::filesystem::path out_directory();

/// The emulation's own files: a tmpfs in the sandbox's /run, out of everybody else's reach.
inline constexpr const char* kStateDirectory = "/run/knetsim";
/// The same files for people, at a path that is easy to remember. It lies on a directory of the host and may be gone
/// for a moment, or for good: nothing but what a person types relies on it. See docs/decisions/.
inline constexpr const char* kStateView = "/tmp/knetsim";

/// The sandbox's own /etc/hosts, bound over the host's, to be written in place. It begins with kLocalHosts.
inline constexpr const char* kHostsFile = "/run/hosts";
inline constexpr const char* kLocalHosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

}  // namespace knetsim
