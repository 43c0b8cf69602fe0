#pragma once

#include <string>

namespace knetsim {

/// What to do when the kernel has refused one more namespace with this errno; empty if its limits aren't the reason.
/// `kinds` are those that were wanted, as in /proc/sys/user/max_<kind>_namespaces: "net", "mnt user".
std::string remedy_for_namespaces(int error, const std::string& kinds);

/// The same for inotify(7) instances and watches.
std::string remedy_for_inotify(int error);

/// Raises the soft limits of descriptors and of address space as far as the hard ones let, where a lab would hit them,
/// and says on stderr where that isn't far enough: what a Go program prints instead is no help.
void raise_limits();

}  // namespace knetsim
