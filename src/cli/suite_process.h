#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/child.h"
#include "knetsim/sys/fd.h"
#include "knetsim/sys/process.h"

namespace knetsim::cli {

/// A suite program that reports over a pipe of its own (KNETSIM_EVENTS_FD); what it prints comes through another. It
/// is a session of its own, so that a Ctrl-C reaches it once, through us, and the kernel kills it when we die,
/// however we die: start it from the main thread (PR_SET_PDEATHSIG goes by thread).
class SuiteProcess {
 public:
  /// `environment` is added to ours, from which whatever would change what GoogleTest runs is taken out. Throws
  /// InputError if the program can't be executed. SIGKILL to its process group with its owner.
  SuiteProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const std::map<std::string, std::string>& environment);

  FdView events() const noexcept { return events_; }
  FdView output() const noexcept { return output_; }
  FdView pidfd() const noexcept { return child_->pidfd(); }  ///< readable when it has ended

  void signal(int number);         ///< to the program alone
  void kill() { child_->kill(); }  ///< SIGKILL to its process group; returns when it has ended
  /// nullopt while it runs.
  std::optional<ExitStatus> status() { return child_->status(); }

 private:
  Fd events_;
  Fd output_;
  std::optional<Child> child_;
};

/// What is there to read from `from` now, without blocking; nullopt at its end.
std::optional<std::string> read_available(FdView from);

}  // namespace knetsim::cli
