#pragma once

#include <functional>
#include <optional>
#include <string>

namespace knetsim {

/// Runs `probe` in a forked child, inside a new sandbox if asked for: nullopt if it returned, else what it threw, what
/// the sandbox said, or how the child ended. Call with a single thread.
std::optional<std::string> try_in_child(bool sandboxed, const std::function<void()>& probe);

}  // namespace knetsim
