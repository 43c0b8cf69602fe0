#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "knetsim/sys/child.h"
#include "knetsim/sys/eventually.h"
#include "knetsim/sys/process.h"

namespace knetsim {

using Arguments = std::vector<std::string>;
Arguments operator+(Arguments a, const Arguments& b);

/// The program that enters the sandbox, beside this one. See sandbox_probe.cpp.
std::string probe();
/// The command, run by a user that isn't root: our own, or nobody.
Arguments as_ordinary_user(const Arguments& command);
/// The command, run by bash after `script`, where /tmp is a fresh directory that nobody else sees. "$probe" is the
/// probe for the script and the command, wherever it really lies.
Arguments in_private_tmp(const std::string& script);

/// A directory that everybody may read, for copies of the probe: build trees may be out of an ordinary user's reach.
class PublicDirectory {
 public:
  PublicDirectory();
  ~PublicDirectory();
  PublicDirectory(const PublicDirectory&) = delete;
  PublicDirectory& operator=(const PublicDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string probe() const { return path_ / "sandbox-probe"; }

 private:
  std::filesystem::path path_;
};

/// A command in flight, its stdin held open by us (what reads it ends with this process, whatever happens), its stdout
/// and stderr a pipe.
class Flight {
 public:
  explicit Flight(const Arguments& command);

  /// Waits for this line of output.
  void wait_for(const std::string& line);
  /// Waits until no process at all holds the output any more: nothing that the command started lives on.
  void wait_until_all_have_gone();
  const std::string& output() const { return output_; }
  pid_t pid() const { return child_.pid(); }
  ExitStatus wait() { return child_.wait(kDefaultBudget); }

 private:
  bool read_some(std::chrono::milliseconds budget);

  Pipe in_ = Pipe::create();
  Pipe out_ = Pipe::create();
  std::string output_;
  Child child_;
};

}  // namespace knetsim
