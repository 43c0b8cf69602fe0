#pragma once

namespace knetsim::sandbox {

/// Takes apart what the program has left: the links of every named namespace, of those given to dismantle_at_the_end()
/// and of the caller's own, one by one. For the init, when nothing else runs any more. Goes on where something fails:
/// the kernel does the rest.
void dismantle() noexcept;

}  // namespace knetsim::sandbox
