#pragma once

#include <cstddef>
#include <functional>

namespace knetsim {

/// work(0) to work(count - 1), each once, on at most `threads` threads of their own. Returns when all have ended, also
/// after one has failed: what they use may go then. Throws what the first of those threads that failed threw; such a
/// thread takes no more turns.
void side_by_side(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work);

}  // namespace knetsim
