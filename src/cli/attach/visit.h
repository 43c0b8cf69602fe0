#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"
#include "terminal.h"

namespace knetsim::cli {

/// Runs a program on a node of the lab at the other end of this connection: on a pseudo terminal if stdin and stdout
/// are terminals, else on our own three, with those of our environment that `variables` names. Returns the exit code
/// for `knetsim exec`: the program's, 128 + the number of the signal that ended it, 127 if it isn't there, 2 if it
/// couldn't be run.
int run_in_lab(FdView connection, const std::string& node, const std::vector<std::string>& argv, Terminal& terminal,
               const std::vector<std::string>& variables);

/// The lab's description of itself, as JSON; empty if it is busy for longer than a moment, or gone.
std::string describe_lab(FdView connection);

/// Asks for the end.
void ask_for_the_end(FdView connection);
/// Waits until everything in it is gone; false if it still stands when the budget is over.
bool wait_for_the_end(FdView connection, std::chrono::milliseconds budget);

}  // namespace knetsim::cli
