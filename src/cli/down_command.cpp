#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <ostream>

#include "attach/state_directory.h"
#include "attach/visit.h"
#include "command.h"
#include "knetsim/sys/error.h"
#include "only_lab.h"

namespace knetsim::cli {

namespace {

using std::chrono::seconds;

// What a lab takes that has nothing else to do; from then on it is worth a word.
constexpr seconds kUsual{2};

struct DownOptions {
  std::string name;
  bool all = false;
  bool kill = false;
  int patience = 30;
};

/// The kernel ends everything in a sandbox with the process outside it.
void kill_lab(FdView connection, pid_t pid) {
  const Fd lab(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The process was the lab's when this descriptor was made if the lab is there even now.
  if (!lab || wait_for_the_end(connection, std::chrono::milliseconds(1))) return;
  if (::syscall(SYS_pidfd_send_signal, lab.get(), SIGKILL, nullptr, 0) != 0)
    throw SystemError("kill the lab", fmt::format("pid {}", pid));
}

/// Empty, or why it stands still.
std::string end_lab(FdView connection, pid_t pid, const DownOptions& options, const std::string& name,
                    Terminal& terminal) {
  if (options.kill)
    kill_lab(connection, pid);
  else
    ask_for_the_end(connection);
  const seconds patience(options.patience);
  if (wait_for_the_end(connection, std::min(kUsual, patience))) return {};
  const auto kill_it = fmt::format("knetsim down --kill {} ends it at once", name);
  if (is_stopped(pid)) return fmt::format("it is stopped; kill -CONT {} lets it go on, {}", pid, kill_it);
  terminal.err << fmt::format("knetsim: waiting for {} (pid {}), up to {} s\n", name, pid, patience.count())
               << std::flush;
  if (wait_for_the_end(connection, patience - kUsual)) return {};
  return fmt::format("it still stands after {} s; it may be busy at its prompt, or hang: {}", patience.count(),
                     kill_it);
}

int down(const DownOptions& options, Terminal& terminal) {
  const auto labs = StateDirectory::open();
  auto names = labs.names();
  if (!options.all) names = {options.name.empty() ? only_lab(labs) : options.name};
  int code = kExitGood;
  for (const auto& name : names) {
    const auto connection = labs.connect(name);
    const auto obstacle = end_lab(connection, peer_of(connection).pid, options, name, terminal);
    if (obstacle.empty()) {
      terminal.out << name << " is down\n";
    } else {
      terminal.err << fmt::format("knetsim: {}: {}\n", name, obstacle);
      code = kExitBad;
    }
  }
  return code;
}

}  // namespace

Command make_down(CLI::App& root) {
  auto* app = root.add_subcommand("down", "Take a lab down that stands, and wait until it is gone");
  auto options = std::make_shared<DownOptions>();
  auto* name = app->add_option("NAME", options->name, "Its name (knetsim ps); may be left out if only one stands");
  app->add_flag("--all", options->all, "All labs of yours")->excludes(name);
  app->add_option("--wait", options->patience, "How many seconds to wait for its end")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
  app->add_flag("--kill", options->kill, "Ask nobody: SIGKILL, and the kernel destroys what stands");
  app->footer("Exit codes: 0 it is down; 1 it still stands; 2 could not run.");
  return {app, [options](Terminal& terminal) { return down(*options, terminal); }};
}

}  // namespace knetsim::cli
