#include "sandbox_init.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "sandbox_dismantle.h"
#include "sandbox_view.h"

namespace knetsim::sandbox {

namespace {

sigset_t forwarded() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) ::sigaddset(&set, number);
  return set;
}

// Hands a signal on to `target`, SIGCHLD excepted. What a terminal sends (SI_KERNEL) has reached the whole foreground
// group already: handing it on would deliver it twice. A hang-up alone is told to the session's leader only.
void forward(int number, int code, pid_t target) {
  if (number != SIGCHLD && (code != SI_KERNEL || number == SIGHUP)) ::kill(target, number);
}

void forward_next_signal(pid_t target) {
  const auto set = forwarded();
  siginfo_t info{};
  const int number = ::sigwaitinfo(&set, &info);
  if (number > 0) forward(number, info.si_code, target);
}

/// What every process of the sandbox but the init has come to by now.
void end_everything_else() {
  ::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

/// Lets go of everything that somebody outside may wait for: pipes, the terminal, the directory, the parent.
void step_back(const Fd& report) {
  ::prctl(PR_SET_PDEATHSIG, 0);
  (void)!::chdir("/");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  const auto kept = static_cast<unsigned>(report.get());
  ::close_range(STDERR_FILENO + 1, kept - 1, 0);
  ::close_range(kept + 1, ~0U, 0);
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
  const auto set = forwarded();
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  std::array<pollfd, 2> events{{{report.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}}};
  while (events[0].revents == 0) {
    ::poll(events.data(), events.size(), -1);
    for (signalfd_siginfo info{}; ::read(signals.get(), &info, sizeof info) == sizeof info;)
      forward(static_cast<int>(info.ssi_signo), info.ssi_code, init);
  }

  int status = 0;
  if (::read(report.get(), &status, sizeof status) != sizeof status) {
    int end_of_init = 0;
    while (::waitpid(init, &end_of_init, 0) < 0 && errno == EINTR) {
    }
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
      end_everything_else();
      step_back(report);
      const auto written = ::write(report.get(), &status, sizeof status);
      // The outer process goes now, and whoever waits for the run goes on: nothing but links is left.
      sandbox::dismantle();
      ::_exit(written == sizeof status ? 0 : 2);
    }
    std::array<pollfd, 2> events{{{signals.get(), POLLIN, 0}, {view.get(), POLLIN, 0}}};
    ::poll(events.data(), events.size(), -1);
    if (events[1].revents != 0) restore_view(view, claimed_view);
    if (events[0].revents != 0 || !signals) forward_next_signal(program);
  }
}

}  // namespace knetsim::sandbox
