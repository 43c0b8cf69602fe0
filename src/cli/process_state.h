#pragma once

#include <sys/types.h>

namespace knetsim::cli {

/// The letter that proc(5) has for what a process does: R runs, S sleeps, T is stopped (SIGSTOP, Ctrl-Z). 0 if there is
/// no such process any more.
char process_state(pid_t pid);

}  // namespace knetsim::cli
