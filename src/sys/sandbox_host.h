#pragma once

namespace knetsim::sandbox {

/// What a lab may not change although its user is root: the system's directories (unless the caller works in one), all
/// of /proc that isn't a process's or the network's. Other users are kept from it by the files' modes. Whoever the user
/// is, servers find empty directories of the lab's own where they write (/var/log, /var/lib/nginx). What is mounted
/// below these directories stays as it is. Call when /proc is mounted.
void protect_host();

/// Binds the root directory onto itself where it is no mount point, as in a chroot: mounts need one.
void make_root_a_mount_point();

}  // namespace knetsim::sandbox
