#include "event_loop.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    end();
    loop_ = std::exchange(other.loop_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void EventLoop::Watch::end() {
  if (loop_ != nullptr) std::exchange(loop_, nullptr)->entries_.erase(id_);
}

EventLoop::Watch EventLoop::watch(FdView fd, short events, Handler handler) {
  const auto id = next_id_++;
  entries_.emplace(id, Entry{fd.get(), events, std::make_shared<Handler>(std::move(handler))});
  return {*this, id};
}

void EventLoop::run_until(const std::function<bool()>& done) {
  while (!done()) run_once(-1);
}

void EventLoop::run_until(const std::function<bool()>& done, std::chrono::milliseconds budget) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + budget;
  while (!done()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return;
    run_once(static_cast<int>(left.count()));
  }
}

void EventLoop::run_once(int timeout) {
  std::vector<unsigned> ids;
  std::vector<pollfd> polled;
  for (const auto& [id, entry] : entries_) {
    ids.push_back(id);
    polled.push_back({entry.fd, entry.events, 0});
  }
  if (::poll(polled.data(), polled.size(), timeout) < 0) {
    if (errno != EINTR) throw SystemError("wait for events");
    return;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (polled[i].revents == 0) continue;
    const auto entry = entries_.find(ids[i]);
    if (entry == entries_.end()) continue;       // another handler has ended this watch
    const auto handler = entry->second.handler;  // kept alive: it may end its own watch
    (*handler)();
  }
}

}  // namespace knetsim::cli
