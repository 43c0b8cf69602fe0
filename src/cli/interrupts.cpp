#include "interrupts.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "knetsim/sys/error.h"

namespace knetsim::cli {

namespace {

// nohup(1) and a script's "&" mean it: a blocked signal would reach us although it is ignored.
bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

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
