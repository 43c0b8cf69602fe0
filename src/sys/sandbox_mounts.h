#pragma once

#include <string>
#include <string_view>

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

/// Binds kHostsFile, with localhost alone in it, over /etc/hosts. Without such a file on the host there is nothing to
/// bind it over. Call after mount_fresh().
void mount_hosts();
/// Takes that away; call before /run goes.
void unmount_hosts() noexcept;

/// Makes programs look into /etc/hosts before anything else, whatever the host's /etc/nsswitch.conf says; for good.
/// Call after mount_fresh().
void ask_hosts_first();
/// This nsswitch.conf(5) with that changed; empty if it is so already.
std::string with_hosts_first(std::string_view configuration);

/// What a lab may not change although its user is root: the system's directories (unless the caller works in one), all
/// of /proc that isn't a process's or the network's. Other users are kept from it by the files' modes. Whoever the user
/// is, servers find empty directories of the lab's own where they write (/var/log, /var/lib/nginx). What is mounted
/// below these directories stays as it is. Call when /proc is mounted.
void protect_host();

/// Binds the root directory onto itself where it is no mount point, as in a chroot: mounts need one.
void make_root_a_mount_point();

}  // namespace knetsim::sandbox
