#pragma once

namespace knetsim::sandbox {

/// What helps wherever the kernel refuses, for lack of privileges, to make the sandbox.
inline constexpr const char* kPrivilegesRemedy =
    "run it as root (sudo), or in a container started with docker run --privileged";

/// Cuts the mount namespace off from the host's. Call before the mounts below.
void make_mounts_private();
/// A /proc that shows the calling process's pid namespace.
void mount_proc();
/// Fresh /sys (of the calling thread's network namespace, read-only), /dev/shm, and /run with the state directory, over
/// whatever is there.
void mount_fresh();
/// An empty /etc/resolv.conf, for good. Call after mount_fresh(). Nothing outside can be reached: a program that asked
/// the host's name server would wait for the time-out of each of its questions.
void hide_name_servers();
/// Takes away what mount_fresh() mounted, with everything that is mounted below, and the view of the state.
void unmount_fresh();

}  // namespace knetsim::sandbox
