#pragma once

#include <cstdint>

namespace knetsim {

/// A set of capabilities(7), as bits.
using Capabilities = std::uint64_t;

/// What everything in a sandbox may have at most; docs/limitations.md has the reason for each.
Capabilities capabilities_of_the_sandbox() noexcept;
/// What is left to daemons and pods: to configure their network, and to be the user that they need to be.
Capabilities capabilities_of_a_daemon() noexcept;

/// Gives up all others, for the calling process and whatever it executes, and the way back to them (no_new_privs).
/// Async-signal-safe. False, with errno set, if the kernel refuses.
bool keep_only(Capabilities kept) noexcept;

}  // namespace knetsim
