#include "knetsim/emulator/daemon.h"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <fstream>
#include <utility>

#include "knetsim/sys/error.h"

namespace knetsim {

Daemon::Daemon(std::string name, Handle running, std::function<Handle()> start)
    : name_(std::move(name)), process_(std::move(running)), start_(std::move(start)) {}

Process& Daemon::process() {
  if (!process_) throw Error(fmt::format("{} isn't there: its last start failed\n  remedy: restart it", name_));
  return *process_;
}

void Daemon::expect_end() noexcept {
  const std::scoped_lock lock(*mutex_);
  told_to_end_ = true;
}

Daemon::Handle Daemon::beside() const noexcept {
  const std::scoped_lock lock(*mutex_);
  return process_;
}

Daemon::Handle Daemon::end_beside() noexcept {
  const std::scoped_lock lock(*mutex_);
  told_to_end_ = true;
  return process_;
}

bool Daemon::told_to_end() const noexcept {
  const std::scoped_lock lock(*mutex_);
  return told_to_end_;
}

void Daemon::set(Handle process, bool told_to_end) noexcept {
  const std::scoped_lock lock(*mutex_);
  process_.swap(process);
  told_to_end_ = told_to_end;
}

ExitStatus Daemon::stop() {
  expect_end();
  return process().terminate();
}

void Daemon::kill() {
  expect_end();
  process().signal(SIGKILL);
  process().wait(std::chrono::seconds(10));
}

void Daemon::restart() {
  if (process_ && process_->running()) stop();
  set(nullptr, told_to_end());  // the old one is gone before the new one opens the same files
  set(start_(), false);
}

std::optional<std::string> Daemon::ailment() {
  if (!process_) return fmt::format("{} was ended to be started anew, and that failed", name_);
  if (const auto line = crash_report_in(process_->log()))
    return fmt::format("{} reports a crash: {}\n{}", name_, *line, process_->log_tail());
  const auto status = process_->status();
  if (!status || told_to_end()) return std::nullopt;
  return fmt::format("{} ended without having been told to ({}); its log ends with\n{}", name_, status->describe(),
                     process_->log_tail());
}

std::optional<std::string> crash_report_in(const std::filesystem::path& log) {
  constexpr std::array kSigns{"panic: ",           "fatal error: ",    "SIGSEGV: segmentation violation",
                              "AddressSanitizer:", "LeakSanitizer:",   "ThreadSanitizer:",
                              "runtime error: ",   "terminate called", "Assertion `"};
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);)
    for (const char* sign : kSigns)
      if (line.find(sign) != std::string::npos) return line;
  return std::nullopt;
}

}  // namespace knetsim
