#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "interrupts.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

/// A suite program that reports over a pipe of its own (KNETSIM_EVENTS_FD); what it prints comes through another. It
/// is a process group of its own, so that a Ctrl-C reaches it once, through us, and the kernel kills it when we die,
/// however we die: start it from the main thread (PR_SET_PDEATHSIG goes by thread).
class SuiteProcess {
 public:
  /// `environment` is added to ours, from which whatever would change what GoogleTest runs is taken out. Throws
  /// InputError if the program can't be executed.
  SuiteProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const std::map<std::string, std::string>& environment, const Interrupts& interrupts);
  ~SuiteProcess();  ///< SIGKILL to its process group if it still runs, then reaps
  SuiteProcess(const SuiteProcess&) = delete;
  SuiteProcess& operator=(const SuiteProcess&) = delete;

  FdView events() const noexcept { return events_; }
  FdView output() const noexcept { return output_; }
  FdView pidfd() const noexcept { return pidfd_; }  ///< readable when it has ended

  void signal(int number) const;  ///< to the program alone
  void kill() const;              ///< SIGKILL to its process group
  ExitStatus wait();              ///< blocks until it has ended

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
  Fd events_;
  Fd output_;
  Fd pidfd_;
};

/// What is there to read from `from` now, without blocking; nullopt at its end.
std::optional<std::string> read_available(FdView from);

}  // namespace knetsim::cli
