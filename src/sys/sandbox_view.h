#pragma once

#include <string>

#include "knetsim/sys/fd.h"

namespace knetsim::sandbox {

/// /tmp/knetsim: a view of the state directory, on a directory of the host. Nothing of a lab depends on it: whoever may
/// remove or rename that directory outside takes the view away, and nothing else (rmdir(2) detaches what other mount
/// namespaces have mounted there).
///
/// A directory is trusted if it is the caller's or root's, writable by nobody else, in a /tmp where others can't rename
/// it. Root takes an empty one over from its owner, and else refuses.

/// Before the namespaces are made, while owners show their real numbers: makes the directory, or looks at the one that
/// is there. Empty, after a line to stderr, where there can't be a trusted one: the lab then goes without the view.
/// Throws InputError for root where another user's stands, and for anybody where something stands that is no directory.
Fd claim_view();

/// Shows the state directory there, unless it is shown already. Inside, where root's number may not be known, the
/// directory must be the one that was claimed or the caller's own.
void show_view(const Fd& claimed);

/// For the sandbox's init: readable when the directory on the host may have been removed or renamed. Empty if the
/// kernel gives no more of them.
Fd watch_view();
/// Reads what has been told, and shows the view again if it is gone.
void restore_view(const Fd& watch, const Fd& claimed) noexcept;

}  // namespace knetsim::sandbox
