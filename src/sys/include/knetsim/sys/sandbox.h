#pragma once

#include <filesystem>
#include <string>

namespace knetsim {

/// The private world of one run: mount, pid, network, ipc and uts namespaces (and a user namespace when the caller
/// isn't root), with fresh /proc, /sys, /run and /tmp/knetsim. When the program ends, however it ends, the kernel
/// destroys everything in it. See namespaces(7), docs/decisions/0001.
class Sandbox {
 public:
  /// Call first in main, before any thread exists. Forks: the caller goes on as a child of a tiny init inside the
  /// sandbox, while the outer process waits and never returns from here; its exit code or fatal signal is that of the
  /// inner main. Where the kernel refuses, prints what is missing and the remedy, and exits 2.
  /// With KNETSIM_SANDBOX=off no process is forked (for debuggers): namespaces are made in place, without a pid one.
  static void enter();

  /// True in a process that enter() put inside.
  static bool inside() noexcept;

  /// Makes it as good as new, for the next test of the same process: every other process killed, /run and
  /// /tmp/knetsim mounted afresh, a new network namespace. Call with a single thread.
  static void renew();
};

/// Where artefacts that must last go: $KNETSIM_OUT, else ./knetsim-out. Absolute. Not created here.
std::filesystem::path out_directory();

/// The emulation's own files: /tmp/knetsim, a tmpfs inside the sandbox.
inline constexpr const char* kStateDirectory = "/tmp/knetsim";

}  // namespace knetsim
