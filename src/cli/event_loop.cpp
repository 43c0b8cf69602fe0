#include "event_loop.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace knetsim::cli {

namespace {

// nohup(1) and a script's "&" mean it: a blocked signal would reach us although it is ignored.
bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

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

Interrupted::Interrupted(int signal)
    : Error(std::string("interrupted by SIG") + ::sigabbrev_np(signal)), signal_(signal) {}

Interrupts::Interrupts(std::initializer_list<int> others) {
  sigset_t caught;
  sigemptyset(&caught);
  for (const auto& numbers : {std::initializer_list<int>{SIGINT, SIGTERM, SIGHUP}, others})
    for (const int number : numbers)
      if (!is_ignored(number)) sigaddset(&caught, number);
  fd_ = Fd(::signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw SystemError("watch for signals");
  ::sigprocmask(SIG_BLOCK, &caught, &before_);
}

Interrupts::~Interrupts() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

std::optional<CaughtSignal> Interrupts::take() const {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return CaughtSignal{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

}  // namespace knetsim::cli
