#include "knetsim/sys/side_by_side.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <vector>

namespace knetsim {

void side_by_side(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<void>> running;
  for (std::size_t i = 0; i < std::min(count, threads); ++i)
    running.push_back(std::async(std::launch::async, [&] {
      for (auto turn = next++; turn < count; turn = next++) work(turn);
    }));
  std::exception_ptr first;
  for (auto& one : running) {
    try {
      one.get();
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

}  // namespace knetsim
