#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "session.h"

namespace knetsim::cli::shell {

/// Does what the original's object of that name would do. Throws LineError, or any Error.
int run_call(Session& session, const Call& call);

std::vector<std::string> method_names();
/// Whether anything stands between its brackets.
bool takes_arguments(const std::string& method);
/// Each method as it is typed, in the demo topology: C0w1.exec_container("c1", "ip route").
std::vector<std::string_view> method_examples();

}  // namespace knetsim::cli::shell
