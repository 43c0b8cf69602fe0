#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "knetsim/sys/fd.h"
#include "knetsim/sys/netns.h"

namespace knetsim {

/// How a process ended, as wait(2) tells it.
class ExitStatus {
 public:
  explicit ExitStatus(int wait_status) noexcept : status_(wait_status) {}
  /// Exit code, or nullopt if a signal ended it.
  std::optional<int> code() const noexcept;
  /// The signal that ended it, or nullopt.
  std::optional<int> signal() const noexcept;
  bool success() const noexcept { return code() == 0; }
  /// "exit code 1", "killed by SIGKILL"
  std::string describe() const;

 private:
  int status_;
};

/// What of the caller's environment and rights a program is given.
enum class Trust {
  full,  ///< all of it: knetsim's own helpers, tests
  user,  ///< what a person runs on a node: the variables of terminals and languages, PATH, HOME, EDITOR, KNETSIM_* and
         ///< those that $KNETSIM_ENV names, separated by commas
  pod,   ///< the same, without the rights to mount, to trace and to change the root directory
  daemon,  ///< no rights either, and of the variables PATH, HOME, languages and those of instrumented builds
};

/// A program to run: an argument vector, never a shell string.
struct Command {
  std::vector<std::string> argv;                        ///< argv[0] is looked up on PATH unless it holds a slash
  const NetNs* netns = nullptr;                         ///< where it runs; null: the caller's
  const UtsNs* uts = nullptr;                           ///< whose hostname it has; null: the caller's
  std::filesystem::path directory = {};                 ///< cwd and HOME; empty: the caller's
  std::map<std::string, std::string> environment = {};  ///< added to the caller's
  std::vector<std::string> withheld = {};               ///< the caller's variables that begin so aren't handed on
  /// Another root directory to run it in, such as an unpacked container image; empty: the caller's. argv[0] and
  /// directory are then paths in there, where /proc, /dev and the state directory are the caller's. Only in a sandbox.
  std::filesystem::path root = {};
  Trust trust = Trust::full;
};

/// Keeps from a program what the caller's environment would tell it: the variables that begin with `prefix`, which are
/// flags that nobody gave, and a proxy: no proxy of the host's leads into an emulated network.
Command in_neutral_environment(Command command, const std::string& prefix);

/// In program.cpp: the program's path, found on PATH, then in /usr/sbin and /sbin; nullopt if it isn't there.
std::optional<std::filesystem::path> find_program(const std::string& name);
/// The same; throws an InputError that names the Debian package if it isn't there.
std::filesystem::path require_program(const std::string& name);

/// A running program in a session of its own (setsid), stdin /dev/null, killed with its owner. Daemons and
/// background commands. Move-only.
class Process {
 public:
  /// stdout and stderr go to `log`, which is created (its parent must be there) or appended to. Descriptors that are
  /// `kept` stay open in it, under the numbers that they have here; above 2.
  static Process spawn(const Command& command, const std::filesystem::path& log, const std::vector<FdView>& kept = {});

  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  ~Process();  ///< SIGKILL to its process group if it still runs, then reaps

  pid_t pid() const noexcept;
  bool running();
  /// The status once it has ended, nullopt while it runs.
  std::optional<ExitStatus> status();
  /// To the process alone; ended already is no error.
  void signal(int number);
  /// Waits for the end; throws StillMissing when the budget ends.
  ExitStatus wait(std::chrono::milliseconds budget);
  /// SIGTERM, then SIGKILL when the grace is over.
  ExitStatus terminate(std::chrono::milliseconds grace = std::chrono::seconds(5));
  /// For poll(2): readable when the process has ended (pidfd_open(2)).
  FdView pidfd() const noexcept;

  const std::string& name() const noexcept;  ///< argv[0] without its directory
  const std::filesystem::path& log() const noexcept;
  /// The last lines of its log, each indented by four spaces.
  std::string log_tail(std::size_t lines = 15) const;

 private:
  struct State;
  explicit Process(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What a finished command printed and how it ended.
struct ExecResult {
  ExitStatus status;
  std::string out;
  std::string err;
  bool timed_out = false;
  bool truncated = false;  ///< it printed more than was kept, to one of the two
  bool ok() const noexcept { return status.success() && !timed_out; }
};

inline constexpr std::chrono::milliseconds kExecTimeout{30'000};

/// Of what a command prints to stdout, and to stderr, that much is kept; the rest is read and dropped.
inline constexpr std::size_t kLongestOutput = 256UL << 20;

/// Runs a command to its end in a session of its own, with `input` as its stdin. When the timeout ends, the whole
/// process group is killed and timed_out is set. A program that can't be started throws.
ExecResult exec(const Command& command, std::chrono::milliseconds timeout = kExecTimeout, const std::string& input = {},
                std::size_t longest = kLongestOutput);

/// Runs `probe` in a forked child, inside a new sandbox if asked for: nullopt if it returned, else what it threw, what
/// the sandbox said, or how the child ended. Call with a single thread.
std::optional<std::string> try_in_child(bool sandboxed, const std::function<void()>& probe);

}  // namespace knetsim
