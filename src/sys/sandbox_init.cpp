#include "sandbox_init.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "sandbox_view.h"

namespace knetsim::sandbox {

namespace {

sigset_t forwarded() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) ::sigaddset(&set, number);
  return set;
}

// Waits for the next signal and hands it on to `target`, SIGCHLD excepted. What a terminal sends (SI_KERNEL) has
// reached the whole foreground group already: handing it on would deliver it twice. A hang-up alone is told to the
// session's leader only.
void forward_next_signal(pid_t target) {
  const auto set = forwarded();
  siginfo_t info{};
  const int number = ::sigwaitinfo(&set, &info);
  if (number > 0 && number != SIGCHLD && (info.si_code != SI_KERNEL || number == SIGHUP)) ::kill(target, number);
}

}  // namespace

void block_forwarded_signals() {
  const auto set = forwarded();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  // A caller may have left it ignored: then nobody would be told of the end of a child.
  ::signal(SIGCHLD, SIG_DFL);
}

void unblock_forwarded_signals() {
  const auto set = forwarded();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void wait_outside(pid_t init, const Fd& report) {
  int end_of_init = 0;
  while (::waitpid(init, &end_of_init, WNOHANG) == 0) forward_next_signal(init);

  int status = 0;
  if (::read(report.get(), &status, sizeof status) != sizeof status) {
    // One that exits has said why it couldn't go on.
    if (!WIFEXITED(end_of_init))
      std::fprintf(stderr, "knetsim: the sandbox's init ended without telling how the program ended\n");
    ::_exit(2);
  }
  if (WIFEXITED(status)) ::_exit(WEXITSTATUS(status));
  // The program's own death has dumped core already, if cores are wanted.
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(WTERMSIG(status), SIG_DFL);
  unblock_forwarded_signals();
  ::kill(::getpid(), WTERMSIG(status));
  ::_exit(128 + WTERMSIG(status));
}

void run_init(pid_t program, const Fd& report, const Fd& claimed_view) {
  const auto set = forwarded();
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC));
  const auto view = watch_view();
  // Before the watch stood, nobody told of a change.
  restore_view(view, claimed_view);
  for (;;) {
    int status = 0;
    pid_t ended = 0;
    while ((ended = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (ended != program) continue;
      const auto written = ::write(report.get(), &status, sizeof status);
      ::_exit(written == sizeof status ? 0 : 2);
    }
    std::array<pollfd, 2> events{{{signals.get(), POLLIN, 0}, {view.get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), -1);
    if (events[1].revents != 0) restore_view(view, claimed_view);
    if (events[0].revents != 0 || !signals) forward_next_signal(program);
  }
}

}  // namespace knetsim::sandbox
