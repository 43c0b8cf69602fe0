#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "knetsim/sys/process.h"

namespace knetsim {

/// A daemon of the emulation: whoever ends it says so here, so that an end that nobody asked for can be told apart. For
/// one thread, but for beside() and end_beside().
class Daemon {
 public:
  /// A process together with whatever owns it.
  using Handle = std::shared_ptr<Process>;

  /// Takes over one that runs; `start` spawns its successor, for restart().
  Daemon(std::string name, Handle running, std::function<Handle()> start);

  const std::string& name() const noexcept { return name_; }
  /// Throws Error while there is none, because it couldn't be started anew.
  Process& process();

  /// Its end, from now on, is no ailment: a test is about to bring it about in some other way.
  void expect_end() noexcept;
  /// For another thread, which may use its pidfd and nothing else: the process, or null if there is none.
  Handle beside() const noexcept;
  /// The same for one that is going to end it, by its pidfd: its end is no ailment.
  Handle end_beside() noexcept;
  bool running() { return process_ && process_->running(); }
  bool told_to_end() const noexcept;
  /// SIGTERM and wait.
  ExitStatus stop();
  /// SIGKILL and wait.
  void kill();
  /// Starts it anew, ending it first if it still runs. If that throws there is none, which is an ailment.
  void restart();

  /// What is wrong with it: ended without having been told to, or a panic or sanitizer report in its log. With the end
  /// of the log. nullopt if nothing.
  std::optional<std::string> ailment();

 private:
  std::string name_;
  void set(Handle process, bool told_to_end) noexcept;

  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();  // guards process_ (as written) and told_to_end_
  Handle process_;
  std::function<Handle()> start_;
  bool told_to_end_ = false;
};

/// The first line of a log that reports a crash: a Go panic, an abort, a sanitizer's finding. nullopt if there is none.
std::optional<std::string> crash_report_in(const std::filesystem::path& log);

}  // namespace knetsim
