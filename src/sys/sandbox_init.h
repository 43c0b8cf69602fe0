#pragma once

#include <sys/types.h>

#include "knetsim/sys/fd.h"

namespace knetsim::sandbox {

/// The signals that a run hands on to the program inside. Blocked before the first fork, so that none is lost.
void block_forwarded_signals();
void unblock_forwarded_signals();

/// The outer process's life: forwards signals to `init`, then ends the way that init reported through `report`.
[[noreturn]] void wait_outside(pid_t init, const Fd& report);

/// Pid 1's life: reaps orphans, forwards signals to `program`, puts the view of the state back when somebody outside
/// has taken it away, and when the program has ended ends all others and reports its wait status. Then, alone and with
/// nobody waiting for it, takes the networks apart (sandbox_dismantle.h).
[[noreturn]] void run_init(pid_t program, const Fd& report, const Fd& claimed_view);

}  // namespace knetsim::sandbox
