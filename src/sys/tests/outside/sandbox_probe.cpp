// Enters the sandbox and becomes the program of its arguments; or, for what a program can't show:
//   --exit      prints before and after entering, and when it exits, with code 3
//   --where     prints the directory that it takes for its own
//   --signals   prints each signal that reaches it and whether a process or the kernel (a terminal) sent it; SIGTERM
//               ends it with code 7
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "knetsim/sys/installation.h"
#include "knetsim/sys/sandbox.h"

namespace {

int exit_with_handlers() {
  std::printf("before\n");  // not flushed: one process alone may print it
  std::atexit([] { std::printf("at exit\n"); });
  knetsim::Sandbox::enter();
  std::printf("inside\n");
  return 3;
}

int report_signals() {
  knetsim::Sandbox::enter();
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  std::puts("ready");
  for (;;) {
    std::fflush(stdout);
    siginfo_t info{};
    const int number = ::sigwaitinfo(&all, &info);
    std::printf("SIG%s from a %s\n", ::sigabbrev_np(number), info.si_code == SI_KERNEL ? "terminal" : "process");
    if (number == SIGTERM) return 7;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  if (argv[1] == std::string_view("--exit")) return exit_with_handlers();
  if (argv[1] == std::string_view("--signals")) return report_signals();
  knetsim::Sandbox::enter();
  if (argv[1] == std::string_view("--where")) return std::puts(knetsim::own_directory().c_str()) < 0 ? 1 : 0;
  ::execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 127;
}
